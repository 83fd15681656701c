/** The shop: web calls catalog, cart and checkout; checkout goes through cart and payment. */
import type { Answer } from './peers.js';
import type { Call, ServiceDescription } from './service.js';

const json = (status: number, value: unknown): Answer => ({ status, body: JSON.stringify(value) });
const notFound = json(404, { error: 'no such path' });
const callTimeoutMs = 10_000;

/** Passes a failed call on to the caller: a client error unchanged, any other failure as a bad gateway. */
const passOn = (answer: Answer): Answer =>
  answer.status >= 400 && answer.status < 500
    ? answer
    : json(502, { error: 'a dependency failed', status: answer.status });

const isOk = (answer: Answer): boolean => answer.status >= 200 && answer.status < 300;

const header = (call: Call, name: string): string | undefined => {
  const value = call.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

const web: ServiceDescription = {
  work: { slots: 256, workMs: 0, maxWaiting: 1000 },
  handler({ peers, counters }) {
    counters.checkouts = 0;
    return async (call) => {
      const user = header(call, 'x-user') ?? 'guest';
      if (call.method === 'GET' && call.path === '/') {
        const products = await peers.call('catalog', {
          method: 'GET',
          path: '/products',
          timeoutMs: callTimeoutMs,
        });
        return isOk(products) ? products : passOn(products);
      }
      if (call.method === 'POST' && call.path === '/cart') {
        const added = await peers.call('cart', {
          method: 'POST',
          path: `/carts/${user}/items`,
          body: call.body,
          timeoutMs: callTimeoutMs,
        });
        return isOk(added) ? added : passOn(added);
      }
      if (call.method === 'POST' && call.path === '/checkout') {
        counters.checkouts!++;
        const key = header(call, 'idempotency-key');
        const done = await peers.call('checkout', {
          method: 'POST',
          path: '/orders',
          headers: { 'x-user': user, ...(key !== undefined && { 'idempotency-key': key }) },
          body: call.body,
          timeoutMs: callTimeoutMs,
        });
        return isOk(done) ? done : passOn(done);
      }
      return notFound;
    };
  },
};

const catalog: ServiceDescription = {
  work: { slots: 64, workMs: 2, maxWaiting: 1000 },
  handler() {
    const products = ['kettle', 'lamp', 'stool', 'clock'].map((name, i) => ({
      name,
      cents: 1250 + 700 * i,
    }));
    return (call) =>
      call.method === 'GET' && call.path === '/products' ? json(200, products) : notFound;
  },
};

const maxCarts = 10_000;

const cart: ServiceDescription = {
  work: { slots: 64, workMs: 1, maxWaiting: 1000 },
  handler() {
    const carts = new Map<string, number>();
    return (call) => {
      const user = /^\/carts\/([^/]+)(\/items)?$/.exec(call.path)?.[1];
      if (user === undefined) return notFound;
      if (call.method === 'GET') return json(200, { user, items: carts.get(user) ?? 0 });
      if (call.method !== 'POST') return notFound;
      const items = (carts.get(user) ?? 0) + 1;
      carts.delete(user);
      carts.set(user, items);
      if (carts.size > maxCarts) carts.delete(carts.keys().next().value as string);
      return json(200, { user, items });
    };
  },
};

const checkout: ServiceDescription = {
  work: { slots: 256, workMs: 1, maxWaiting: 1000 },
  handler({ peers }) {
    let orders = 0;
    return async (call) => {
      if (call.method !== 'POST' || call.path !== '/orders') return notFound;
      const user = header(call, 'x-user') ?? 'guest';
      const basket = await peers.call('cart', {
        method: 'GET',
        path: `/carts/${user}`,
        timeoutMs: callTimeoutMs,
      });
      if (!isOk(basket)) return passOn(basket);
      const key = header(call, 'idempotency-key') ?? `order-${process.pid}-${++orders}`;
      const paid = await peers.call('payment', {
        method: 'POST',
        path: '/charges',
        headers: { 'idempotency-key': key },
        body: JSON.stringify({ user, cents: 4200 }),
        timeoutMs: callTimeoutMs,
      });
      return isOk(paid)
        ? json(200, { order: key, receipt: paid.body.slice(0, 100) })
        : passOn(paid);
    };
  },
};

const rememberedKeys = 100_000;

/** Charges once for each idempotency key, however often a request is repeated, so that retries of a POST are safe. */
const payment: ServiceDescription = {
  work: { slots: 2, workMs: 40, maxWaiting: 100 },
  handler({ counters }) {
    const receipts = new Map<string, string>();
    Object.assign(counters, { charges: 0, repeatsAnswered: 0, doubleCharges: 0 });
    return (call) => {
      if (call.method !== 'POST' || call.path !== '/charges') return notFound;
      const key = header(call, 'idempotency-key');
      if (key === undefined) return json(400, { error: 'idempotency-key is missing' });
      const known = receipts.get(key);
      if (known !== undefined && header(call, 'x-forget-keys') === undefined) {
        counters.repeatsAnswered!++;
        return json(200, { receipt: known, repeated: true });
      }
      // Only a caller with x-forget-keys reaches this twice for one key: a test proves by it that the counter works.
      if (known !== undefined) counters.doubleCharges!++;
      counters.charges!++;
      const receipt = `r-${counters.charges}`;
      receipts.set(key, receipt);
      if (receipts.size > rememberedKeys) receipts.delete(receipts.keys().next().value as string);
      return json(200, { receipt, repeated: false });
    };
  },
};

export const services: Readonly<Record<string, ServiceDescription>> = {
  web,
  catalog,
  cart,
  checkout,
  payment,
};

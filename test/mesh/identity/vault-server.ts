/** A stand-in for Vault: the paths of its HTTP API that an issuer calls, with real keys. */
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keySigner } from '../../../mesh/identity/issuing.js';
import { createCertificate, readCsr } from '../../../mesh/identity/x509.js';

const dayMs = 86_400_000;
const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

interface Ca {
  certificate: X509Certificate;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

export async function makeCa(commonName: string, above?: Ca): Promise<Ca> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = above ?? pair;
  const certificate = await createCertificate(
    {
      publicKeyDer: spki(pair.publicKey),
      commonName,
      notBeforeMs: Date.now() - 60_000,
      notAfterMs: Date.now() + 30 * dayMs,
      ca: {},
      ...(above && { issuer: above.certificate }),
    },
    keySigner(signer.privateKey, signer.publicKey),
  );
  return { certificate, ...pair };
}

export class VaultStandIn {
  readonly root: Ca;
  issuer: Ca;
  /** Transit's key, by version. */
  readonly versions: { privateKey: KeyObject; publicKey: KeyObject }[] = [];
  sealed = false;
  token = 's.right';
  /** The service account's token that the auth method accepts, and the life of the token that it gives. */
  jwt = 'jwt.right';
  leaseSeconds = 3600;
  /** The name that a careless role would put into certificates. */
  overrideName: string | undefined;
  /** A name that such a role would add. */
  addedName: string | undefined;
  readonly calls: string[] = [];
  readonly #server: Server;

  private constructor(root: Ca, issuer: Ca) {
    this.root = root;
    this.issuer = issuer;
    this.#server = createServer((request, response) => {
      void this.#answer(request).then(
        ({ status, body }) => response.writeHead(status).end(body),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  }

  static async start(): Promise<VaultStandIn> {
    const root = await makeCa('vault root');
    const vault = new VaultStandIn(root, await makeCa('vault issuer', root));
    await new Promise<void>((resolve) => vault.#server.listen(0, '127.0.0.1', resolve));
    return vault;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: string }> {
    const path = (request.url ?? '').replace('/v1/', '');
    this.calls.push(`${request.method} ${path}`);
    let text = '';
    for await (const chunk of request) text += String(chunk);
    if (this.sealed) return failure(503, 'Vault is sealed');
    if (path === 'pki/ca_chain') {
      const chain = [this.issuer, this.root].map((ca) => ca.certificate.toString());
      return { status: 200, body: chain.join('') };
    }
    if (path === 'auth/kubernetes/login') return this.#login(text);
    if (request.headers['x-vault-token'] !== this.token) return failure(403, 'permission denied');
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, string>);
    if (path === 'pki/sign/mesh') return this.#signCsr(body);
    if (path === 'transit/keys/mesh') return this.#keys();
    if (path === 'transit/sign/mesh/sha2-256') return this.#sign(body);
    return failure(404, 'no handler for route');
  }

  #login(text: string): { status: number; body: string } {
    const { role, jwt } = JSON.parse(text) as Record<string, string>;
    if (role !== 'mesh') return failure(400, `invalid role name "${role}"`);
    if (jwt !== this.jwt) return failure(403, 'permission denied');
    const auth = { client_token: this.token, lease_duration: this.leaseSeconds, renewable: true };
    return { status: 200, body: JSON.stringify({ auth, data: null }) };
  }

  async #signCsr(body: Record<string, string>): Promise<{ status: number; body: string }> {
    const pem = (body.csr ?? '').replace(/-----[^-]+-----|\s/g, '');
    const csr = readCsr(Buffer.from(pem, 'base64'));
    const certificate = await createCertificate(
      {
        publicKeyDer: csr.publicKeyDer,
        commonName: body.common_name ?? '',
        notBeforeMs: Date.now() - 30_000,
        notAfterMs: Date.parse(body.not_after ?? ''),
        dnsNames: [
          this.overrideName ?? body.alt_names ?? '',
          ...(this.addedName === undefined ? [] : [this.addedName]),
        ],
        uris: [body.uri_sans ?? ''],
        issuer: this.issuer.certificate,
      },
      keySigner(this.issuer.privateKey, this.issuer.publicKey),
    );
    return success({ certificate: certificate.toString() });
  }

  #keys(): { status: number; body: string } {
    const keys = this.versions.map(({ publicKey }, i) => [
      i + 1,
      { public_key: publicKey.export({ type: 'spki', format: 'pem' }) },
    ]);
    return success({ type: 'ecdsa-p256', keys: Object.fromEntries(keys) });
  }

  #sign(body: Record<string, unknown>): { status: number; body: string } {
    const version = Number(body.key_version);
    const key = this.versions[version - 1];
    if (!key || body.marshaling_algorithm !== 'asn1') return failure(400, 'bad request');
    const signature = sign('sha256', Buffer.from(String(body.input), 'base64'), key.privateKey);
    return success({ signature: `vault:v${version}:${signature.toString('base64')}` });
  }

  /** A transit key and the certificate of an issuer with it. */
  async addVersion(): Promise<X509Certificate> {
    const ca = await makeCa('transit issuer', this.root);
    this.versions.push({
      privateKey: ca.privateKey,
      publicKey: createPublicKey(ca.privateKey),
    });
    return ca.certificate;
  }
}

const success = (data: unknown): { status: number; body: string } => ({
  status: 200,
  body: JSON.stringify({ data }),
});
const failure = (status: number, message: string): { status: number; body: string } => ({
  status,
  body: JSON.stringify({ errors: [message] }),
});

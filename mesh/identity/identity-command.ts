/** `firedrill identity`: creates and rotates trust anchor and issuer, issues tokens and certificates, shows chains. */
import type { Command } from 'commander';
import { parseDurationMs } from '../../base/duration.js';
import { UserError } from '../../base/errors.js';
import { registerDeny } from './deny-command.js';
import { readTrustDomain } from './names.js';
import type { AnchorKeeper } from './roll-over.js';
import { formatOption } from '../../base/format-option.js';

const help = (text: string): string => `\nExample:\n  ${text}`;

export function registerIdentity(program: Command): void {
  const identity = program
    .command('identity')
    .description('Manage trust anchors, issuers, join tokens and workload certificates');
  identity
    .command('init')
    .description('Create a trust anchor and an issuer; existing files are kept')
    .requiredOption('--folder <path>', 'folder for the keys (0600)')
    .requiredOption('--trust-domain <name>', 'trust domain, such as retail.local', readTrustDomain)
    .option('--anchor-lifetime <duration>', 'lifetime of the trust anchor', '3650d')
    .option('--issuer-lifetime <duration>', 'lifetime of the issuer', '365d')
    .addHelpText('after', help('firedrill identity init --folder pki --trust-domain retail.local'))
    .action(async (o: { folder: string; trustDomain: string } & Lifetimes) => {
      const { ensurePki } = await import('./pki-files.js');
      const made = await ensurePki(o.folder, { trustDomain: o.trustDomain, ...lifetimes(o) });
      say(made ? `${o.folder}: trust anchor and issuer made` : `${o.folder}: complete already`);
    });
  identity
    .command('token')
    .description('Create a join token for a workload outside Kubernetes')
    .requiredOption('--folder <path>', "the controller's identity.joinTokens.folder")
    .requiredOption('--service-account <name>', "the workload's service account")
    .requiredOption('-n, --namespace <name>', 'namespace of the service account')
    .option('--ttl <duration>', 'time for which the token can be used', '10m')
    .option('--uses <n>', 'number of workloads that may join with the token', '1')
    .option('-o, --out <file>', 'file for the token (0600) instead of standard output')
    .addHelpText(
      'after',
      help(
        'firedrill identity token --folder tokens --service-account cart --namespace retail --out cart.token',
      ),
    )
    .action(
      async (o: {
        folder: string;
        serviceAccount: string;
        namespace: string;
        ttl: string;
        uses: string;
        out?: string;
      }) => {
        const { createJoinToken } = await import('./join-tokens.js');
        const { isWorkloadName } = await import('./names.js');
        const { serviceAccount, namespace } = o;
        if (!isWorkloadName({ serviceAccount, namespace, trustDomain: 'x' })) {
          throw new UserError(`${serviceAccount} in ${namespace}: not names of a workload`);
        }
        const uses = Number(o.uses);
        if (!Number.isInteger(uses) || uses < 1 || uses > 100_000) {
          throw new UserError({ message: `--uses ${o.uses}`, expected: '1 to 100000' });
        }
        const ttlMs = durationOf('--ttl', o.ttl);
        const token = createJoinToken(o.folder, { serviceAccount, namespace }, { ttlMs, uses });
        if (!o.out) return say(token);
        const { writeFileWhole } = await import('../../base/write-file.js');
        writeFileWhole(o.out, `${token}\n`, 0o600);
      },
    );
  registerRotate(identity);
  registerDeny(identity);
  identity
    .command('issue')
    .description('Issue a workload certificate without a controller, from the keys in a folder')
    .requiredOption('--folder <path>', 'folder with issuer.crt and issuer.key')
    .requiredOption('--identity <name>', 'such as cart.retail.serviceaccount.identity.retail.local')
    .requiredOption(
      '-o, --out <prefix>',
      'writes PREFIX.crt (with its chain) and PREFIX.key (0600)',
    )
    .option('--lifetime <duration>', 'lifetime of the certificate', '24h')
    .addHelpText(
      'after',
      help(
        'firedrill identity issue --folder pki --identity cart.retail.serviceaccount.identity.retail.local --out cart',
      ),
    )
    .action(async (o: { folder: string; identity: string; out: string; lifetime: string }) => {
      const { issueToFiles } = await import('./issue.js');
      await issueToFiles({ ...o, lifetimeMs: durationOf('--lifetime', o.lifetime) });
    });
  identity
    .command('inspect')
    .description('Show certificates, and verify their chain')
    .argument('<file...>', 'PEM files; each may hold several certificates')
    .option('--anchors <file>', 'trust anchors to verify the first certificate of each file')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      help('firedrill identity inspect cart.crt --anchors pki/trust-anchor.crt'),
    )
    .action(async (files: string[], o: { anchors?: string; format: string }) => {
      const { inspectFiles } = await import('./inspect.js');
      const report = inspectFiles(files, o.anchors, Date.now());
      say(o.format === 'json' ? JSON.stringify(report.certificates, null, 2) : report.text);
      if (!report.good) process.exitCode = 1;
    });
}

/** Each step of a rotation is one command, so that each can be checked before the next. */
function registerRotate(identity: Command): void {
  const rotate = identity
    .command('rotate')
    .description('Rotate the issuer or the trust anchor while traffic flows');
  rotate
    .command('issuer')
    .description('Create a new issuer signed by the newest anchor; proxies renew by themselves')
    .requiredOption('--folder <path>', 'folder with trust-anchor.key')
    .requiredOption('--trust-domain <name>', 'trust domain, such as retail.local', readTrustDomain)
    .option('--issuer-lifetime <duration>', 'lifetime of the issuer', '365d')
    .addHelpText(
      'after',
      help('firedrill identity rotate issuer --folder pki --trust-domain retail.local'),
    )
    .action(async (o: { folder: string; trustDomain: string; issuerLifetime: string }) => {
      const { rotateIssuer } = await import('./pki-files.js');
      const issuerLifetimeMs = durationOf('--issuer-lifetime', o.issuerLifetime);
      const made = await rotateIssuer(o.folder, { trustDomain: o.trustDomain, issuerLifetimeMs });
      say(`new issuer ${made.serialNumber} until ${made.validTo}`);
    });
  rotate
    .command('anchor')
    .description('Add a new trust anchor, move to it, and drop the old one, in three steps')
    .option('--folder <path>', 'folder with trust-anchor.key')
    .option('--kubernetes', "the Secret of firedrill install, in the kubeconfig's cluster")
    .option(
      '-n, --namespace <name>',
      "the control plane's namespace, with --kubernetes",
      'firedrill',
    )
    .option('--kubeconfig <file>', 'default: KUBECONFIG, ~/.kube/config')
    .requiredOption('--trust-domain <name>', 'trust domain, such as retail.local', readTrustDomain)
    .option('--admin <url...>', "controllers' admin addresses: wait for every proxy between steps")
    .option('--timeout <duration>', 'limit for each wait', '10m')
    .addHelpText(
      'after',
      `
Examples:
  firedrill identity rotate anchor --folder pki --trust-domain retail.local --admin http://127.0.0.1:9990
  firedrill identity rotate anchor --kubernetes --trust-domain cluster.local --admin http://127.0.0.1:9990

Without --admin only the first step is done: the new anchor is added to the bundle.
Then, when all proxies trust it: rotate issuer; when all have renewed: rotate drop-old.
With --kubernetes the new anchor's key is never written, so all three steps are one run, and --admin is needed
(kubectl port-forward -n firedrill service/firedrill-controller 9990).`,
    )
    .action(async (o: AnchorFlags) => {
      const { rollAnchor } = await import('./roll-over.js');
      await rollAnchor({
        keeper: await keeperOf(o),
        admins: o.admin ?? [],
        timeoutMs: durationOf('--timeout', o.timeout),
        say,
      });
    });
  rotate
    .command('drop-old')
    .description('Drop the old trust anchor: trust only the anchor of the current issuer')
    .requiredOption('--folder <path>', 'with trust-anchor.crt')
    .addHelpText('after', help('firedrill identity rotate drop-old --folder pki'))
    .action(async (o: { folder: string }) => {
      const { dropOldAnchors } = await import('./pki-files.js');
      const dropped = dropOldAnchors(o.folder);
      say(`${dropped.length} anchor(s) dropped`);
    });
}

interface AnchorFlags {
  folder?: string;
  kubernetes?: boolean;
  namespace: string;
  kubeconfig?: string;
  trustDomain: string;
  admin?: string[];
  timeout: string;
}

async function keeperOf(o: AnchorFlags): Promise<AnchorKeeper> {
  if ((o.folder === undefined) === (o.kubernetes === undefined)) {
    throw new UserError({
      message: 'no trust anchor given',
      expected: 'one of --folder and --kubernetes',
    });
  }
  const { folderKeeper } = await import('./roll-over.js');
  if (o.folder !== undefined) return folderKeeper(o.folder, o.trustDomain);
  if (!o.admin) {
    throw new UserError({
      message: '--kubernetes does all three steps in one run',
      expected: '--admin URL, to wait for the proxies in between',
    });
  }
  const { secretKeeper } = await import('../kubernetes/secret-keeper.js');
  return secretKeeper(o);
}

interface Lifetimes {
  anchorLifetime: string;
  issuerLifetime: string;
}

function lifetimes(o: Lifetimes): { anchorLifetimeMs: number; issuerLifetimeMs: number } {
  return {
    anchorLifetimeMs: durationOf('--anchor-lifetime', o.anchorLifetime),
    issuerLifetimeMs: durationOf('--issuer-lifetime', o.issuerLifetime),
  };
}

function durationOf(option: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms === 0) {
    throw new UserError({ message: `${option} ${text}`, expected: 'a duration such as 10m' });
  }
  return ms;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

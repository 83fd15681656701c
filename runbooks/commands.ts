/** `firedrill runbook`, `firedrill postmortem` and `firedrill routine`. */
import type { Command } from 'commander';
import type { DraftFlags } from './postmortem/draft-command.js';
import { withAccess } from '../base/access-options.js';
import { exitCode, formatProblem, UserError } from '../base/errors.js';
import { counted } from '../base/terminal.js';
import type { ForFlags } from './own/command.js';
import type { RunbookFacts } from './facts.js';
import type { Page } from './pages.js';
import { registerRoutine } from './routine/command.js';
import { formatOption } from '../base/format-option.js';
import { choiceOption, eachWhole } from '../base/choice-option.js';

export function registerRunbooks(program: Command): void {
  registerRunbook(program);
  registerPostmortem(program);
  registerRoutine(program);
}

function registerRunbook(program: Command): void {
  const runbook = program
    .command('runbook')
    .description('Show, fill in, lint, publish and walk runbooks');

  runbook
    .command('list')
    .description('List the runbooks')
    .addOption(
      choiceOption('--kind <kind>', 'only pages of this kind', [
        'alert',
        'slo',
        'failure',
        'playbook',
      ]),
    )
    .addOption(formatOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  firedrill runbook list --kind failure')
    .action(async (flags: { kind?: string; format: string }) => {
      const { readPages } = await import('./pages.js');
      const pages = [...readPages().values()].filter(
        (p) => flags.kind === undefined || p.kind === flags.kind,
      );
      if (pages.length === 0) {
        throw new UserError({
          message: `no page is of the kind '${flags.kind}'`,
          expected: 'alert, slo, failure or playbook',
        });
      }
      if (flags.format === 'json') {
        const list = pages.map(({ name, title, kind, covers }) => ({ name, title, kind, covers }));
        return write(`${JSON.stringify(list, undefined, 2)}\n`);
      }
      const { formatTable } = await import('../base/terminal.js');
      const rows = pages.map((p) => [p.name, p.kind, p.covers.join(' '), p.title]);
      write(`${formatTable(['PAGE', 'KIND', 'COVERS', 'TITLE'], rows)}\n`);
    });

  runbook
    .command('show')
    .description('Show a runbook with placeholders')
    .argument('<name>', "the alert's name, or a page of runbook list")
    .addHelpText('after', '\nExample:\n  firedrill runbook show MeshRetryStorm')
    .action(async (name: string) => {
      const { renderPage } = await import('./render.js');
      write(renderPage(await pageOf(name, undefined)));
    });

  runbook
    .command('render')
    .description('Fill in a runbook with the facts of an alert')
    .argument('<name>', "the alert's name, or a page of runbook list")
    .requiredOption(
      '--facts <file>',
      "an alert as amtool or Alertmanager's webhook tell it, or our own (runbooks/README.md); - for standard input",
    )
    .option('--prometheus <url>', 'also run its queries there, and show what they return')
    .option('-i, --input <path...>', "SLO files, for the queries of an SLO's own events")
    .option('-o, --out <file>', 'a .md or .html file, or - for Markdown on standard output', '-')
    .addHelpText(
      'after',
      `
Examples:
  amtool alert query -o json | firedrill runbook render MeshRetryStorm --facts -
  firedrill runbook render MeshRetryStorm --facts alert.json --prometheus http://localhost:9090 -o page.html`,
    )
    .action(render);

  runbook
    .command('publish')
    .description('Write all runbooks as a folder of HTML, to serve at --runbook-base')
    .requiredOption(
      '-o, --out <folder>',
      'output folder; serve it at the URL given to alerts generate --runbook-base',
    )
    .option('-i, --input <path...>', 'SLO files: also a page for each alert of theirs')
    .addHelpText(
      'after',
      `
Example:
  firedrill runbook publish -o public/runbooks
  firedrill alerts generate -o rules/ --runbook-base https://ops.example/runbooks
  firedrill slo generate -i slos/ -o rules/ --runbook-base https://ops.example/runbooks`,
    )
    .action(async ({ out, input }: { out: string; input?: string[] }) => {
      const { readPages } = await import('./pages.js');
      const { siteFiles } = await import('./publish.js');
      const { pagesOfSlos } = await import('./slo-facts.js');
      const { writeAll } = await import('../slo/rules/write-files.js');
      const pages = readPages();
      const files = siteFiles(pages, input ? pagesOfSlos(input, pages) : []);
      writeAll(out, false, files);
      process.stderr.write(`${counted(files.size - 1, 'page')} in ${out}\n`);
    });

  runbook
    .command('lint')
    .description(
      'Lint runbooks: one for each alert, all sections, commands that exist, queries that parse',
    )
    .option('--prometheus <url>', 'also run every query there, and say which return nothing')
    .option('--rules <path...>', 'also rule files or folders: their alerts need a page and a link')
    .option('-i, --input <path...>', 'SLO files whose alerts have pages (publish -i)')
    .option(
      '--pages <path...>',
      'instead of the built-in ones: your own Markdown pages, files or folders',
    )
    .option(
      '--command <name>',
      'with --pages: a command that is elsewhere; repeatable',
      eachWhole,
      [],
    )
    .option('--links', 'with --pages: also ask the web whether each link is there')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      `
Exit code 1 where a page cannot be followed. Of your own pages (--pages) it finds commands that do not exist, series
that no rule and no target has, links that lead nowhere, alerts that no rule has, and a runbook_url without a page.

Examples:
  firedrill runbook lint --prometheus http://localhost:9090
  firedrill runbook lint --pages docs/runbooks --rules rules/*.yaml --prometheus http://localhost:9090`,
    )
    .action(async (flags: LintFlags) => {
      const { pages } = flags;
      if (!pages) return lint(program, flags);
      const { lintOwnCommand } = await import('./own/command.js');
      return lintOwnCommand(program, { ...flags, pages });
    });
  registerOwn(runbook);
}

function registerOwn(runbook: Command): void {
  runbook
    .command('for')
    .description('Show the runbook of an alert: your own if there is one, else the built-in one')
    .argument('<alert>', "the alert's name")
    .option('--pages <path...>', 'your own Markdown pages, files or folders')
    .option('--rules <file...>', 'rule files, for the runbook_url of their alerts')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill runbook for BackDown --pages docs/runbooks --rules rules/back.yaml',
    )
    .action(async (alert: string, flags: ForFlags) => {
      const { runbookFor } = await import('./own/command.js');
      write(await runbookFor(alert, flags));
    });

  runbook
    .command('walk')
    .description('Walk the automatic steps of a runbook; each step runs after a confirmation')
    .argument('<alert>', "the alert's name")
    .option('--pages <path...>', 'your own Markdown pages, files or folders')
    .option('--rules <file...>', 'rule files, for the runbook_url of their alerts')
    .addHelpText(
      'after',
      `
A step with a word still to be filled in (POD_NAME, <pod>) is shown, and not run. Exit code 1 where one failed, or
where somebody stopped.

Example:
  firedrill runbook walk BackDown --pages docs/runbooks`,
    )
    .action(async (alert: string, flags: ForFlags) => {
      const { walkCommand } = await import('./own/command.js');
      process.exitCode = await walkCommand(alert, flags);
    });

  runbook
    .command('serve')
    .description('Serve runbooks over HTTP for runbook_url: your own first, then the built-in ones')
    .option('--pages <path...>', 'your own Markdown pages, files or folders')
    .option('--port <number>', 'port to listen on', '8099')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .addHelpText(
      'after',
      '\nExample:\n  firedrill runbook serve --pages docs/runbooks\n' +
        '  # a rule says runbook_url: http://127.0.0.1:8099/BackDown',
    )
    .action(async (flags: { pages?: string[]; port: string; host: string }) => {
      const port = Number(flags.port);
      if (!Number.isInteger(port) || port < 0 || port > 65_535) {
        throw new UserError({ message: `bad --port '${flags.port}'`, expected: 'from 0 to 65535' });
      }
      const { serveRunbooks } = await import('./own/serve.js');
      const served = await serveRunbooks(flags.pages ?? [], { host: flags.host, port });
      write(`runbooks at http://${flags.host}:${served.port}/\n`);
    });
}

const write = (text: string): void => {
  process.stdout.write(text);
};

/** The alert's own page, or the page shared by all SLOs if the alert belongs to an SLO. */
async function pageOf(name: string, slo: string | undefined): Promise<Page> {
  const { pageFor, readPages } = await import('./pages.js');
  const pages = readPages();
  const page = pageFor(pages, name, slo !== undefined);
  if (page) return page;
  const { suggest } = await import('../base/suggest.js');
  const known = [...pages].flatMap(([page, { covers }]) => [page, ...covers]);
  const holding = known.filter((p) => p.toLowerCase().includes(name.toLowerCase()));
  const meant = suggest(name, known);
  if (meant !== undefined) throw new UserError(`no page '${name}': did you mean ${meant}?`);
  const near = [...new Set(holding)].join(', ');
  const one = 'one of firedrill runbook list (alerts of SLOs: SloBudgetBurn, SloNoData)';
  throw new UserError({ message: `no page '${name}'`, expected: near === '' ? one : near });
}

interface RenderFlags {
  facts: string;
  prometheus?: string;
  input?: string[];
  out: string;
}

async function render(name: string, flags: RenderFlags): Promise<void> {
  const { readFacts } = await import('./facts.js');
  const { renderPage } = await import('./render.js');
  const { readYaml } = await import('../base/yaml.js');
  const [document] = readYaml(flags.facts);
  if (!document) throw new UserError(`${flags.facts}: empty`);
  const facts = readFacts(document, name);
  const slo = facts.slo ?? facts.labels?.slo;
  const page = await pageOf(name, slo);
  Object.assign(facts, { ...(await ofSlo(slo, facts, flags)), ...facts });
  let text = renderPage(page, { ...facts, alert: facts.alert ?? name });
  if (flags.prometheus !== undefined) {
    const { answeredPage } = await import('./answers.js');
    const { realClock } = await import('../base/clock.js');
    const given = { ...facts, alert: facts.alert ?? name };
    const { PrometheusClient } = await import('../slo/budget/prometheus.js');
    const prometheus = new PrometheusClient(flags.prometheus);
    text = await answeredPage(page, given, prometheus, realClock.nowMs());
  }
  await output(flags.out, page.title, text);
}

/** Facts from the SLO's files, or otherwise from the rules in Prometheus. */
async function ofSlo(
  slo: string | undefined,
  facts: RunbookFacts,
  { input, prometheus }: RenderFlags,
): Promise<RunbookFacts> {
  if (slo === undefined) return {};
  const { factsFromPrometheus, factsOfSlo, slosById } = await import('./slo-facts.js');
  const live: RunbookFacts = {};
  if (prometheus !== undefined) {
    const { placeOf } = await import('./facts.js');
    const { PrometheusClient } = await import('../slo/budget/prometheus.js');
    const { realClock } = await import('../base/clock.js');
    const { service } = placeOf(facts);
    const client = new PrometheusClient(prometheus);
    Object.assign(live, await factsFromPrometheus(client, { slo, service }, realClock.nowMs()));
  }
  if (!input) return live;
  const known = slosById(input);
  const found = known.get(slo);
  if (found) return { ...factsOfSlo(found), ...live };
  throw new UserError({
    message: `no SLO of ${input.join(', ')} has the id '${slo}'`,
    expected: [...known.keys()].join(', '),
  });
}

async function output(out: string, title: string, markdown: string): Promise<void> {
  const { markdownPage } = await import('./report/document.js');
  await outputText(out, out.endsWith('.html') ? markdownPage(title, markdown) : markdown);
}

async function outputText(out: string, text: string): Promise<void> {
  const { writeAll } = await import('../slo/rules/write-files.js');
  writeAll(out, true, new Map([['page', text]]));
}

interface LintFlags {
  prometheus?: string;
  rules?: string[];
  input?: string[];
  pages?: string[];
  command: string[];
  links?: boolean;
  format: string;
}

async function lint(program: Command, flags: LintFlags): Promise<void> {
  const { lintPages } = await import('./lint.js');
  const { partSources, readPages } = await import('./pages.js');
  const pages = readPages();
  const { lintRules } = await import('./lint-rules.js');
  const { pagesOfSlos } = await import('./slo-facts.js');
  const ofSlos = flags.input ? pagesOfSlos(flags.input, pages).map((p) => p.name) : [];
  const problems = [
    ...lintPages(pages, partSources(), program),
    ...lintRules(flags.rules ?? [], pages, new Set(ofSlos)),
  ];
  const { lintQueries } = await import('./answers.js');
  const { realClock } = await import('../base/clock.js');
  const live =
    flags.prometheus === undefined
      ? []
      : await lintQueries(pages, flags.prometheus, realClock.nowMs());
  const failed = problems.length > 0 || live.some((l) => l.error !== undefined);
  if (flags.format === 'json') {
    write(`${JSON.stringify({ problems, queries: live }, undefined, 2)}\n`);
  } else {
    for (const p of problems) write(`${formatProblem(p)}\n`);
    for (const l of live) write(`${l.page}: ${l.error ?? 'returns nothing'}: ${l.query}\n`);
    const asked = flags.prometheus === undefined ? '' : `, ${live.length} queries return nothing`;
    write(`${counted(pages.size, 'page')}, ${counted(problems.length, 'problem')}${asked}\n`);
  }
  if (failed) process.exitCode = exitCode.failed;
}

function registerPostmortem(program: Command): void {
  const postmortem = program.command('postmortem').description('Draft and lint postmortems');

  withAccess(
    postmortem
      .command('draft')
      .description(
        'Draft a postmortem from a game day or a real incident: measured facts, prompts for the rest',
      )
      .option('--result <path>', "a game day's report folder, its result.json or record.json")
      .option(
        '--prometheus <url>',
        'of a real incident instead: what fired, what the rules measured',
      )
      .option('--alertmanager <url>', 'its silences, and its grouping of what fired')
      .option(
        '--from <time>',
        'of a real incident: 2026-12-01T22:00:00Z, or 3h for three hours ago',
      )
      .option('--to <time>', 'default: now')
      .option(
        '--matcher <matcher>',
        'only these alerts: namespace="shop"; repeatable',
        eachWhole,
        [],
      )
      .option(
        '--git <folder>',
        'a repository whose commits could have led to it; repeatable',
        eachWhole,
        [],
      )
      .option('--title <text>', 'default: the names of its alerts'),
  )
    .option('--scenario <id>', 'only this one, as an incident of its own')
    .option('-o, --out <file>', 'a .md, .html or .json file, or - for standard output', '-')
    .addOption(
      choiceOption('--format <format>', 'how to write it (default: by the ending of --out)', [
        'markdown',
        'html',
        'json',
      ]),
    )
    .addHelpText(
      'after',
      `
Every line of a real incident says where it is from, and what was not measured is said so.

Example:
  firedrill postmortem draft --result gameday-report --scenario certificate-expiry -o postmortem.md
  firedrill postmortem draft --prometheus http://prom:9090 --alertmanager http://am:9093 --from 3h --git . -o pm.html`,
    )
    .action(async (flags: DraftFlags) => {
      const { draftText } = await import('./postmortem/draft-command.js');
      await outputText(flags.out, await draftText(flags));
    });

  postmortem
    .command('new')
    .description('Write a blank postmortem with all sections and their questions')
    .option('--title <text>', 'title of the postmortem')
    .option('-o, --out <file>', 'a .md, .html or .json file, or - for standard output', '-')
    .addOption(
      choiceOption('--format <format>', 'how to write it (default: by the ending of --out)', [
        'markdown',
        'html',
        'json',
      ]),
    )
    .addHelpText(
      'after',
      "\nExample:\n  firedrill postmortem new --title 'Orders were lost' -o postmortem.md",
    )
    .action(async (flags: { title?: string; out: string; format?: string }) => {
      const { blankText } = await import('./postmortem/incident/command.js');
      await outputText(flags.out, blankText(flags));
    });

  postmortem
    .command('lint')
    .description('Lint a postmortem: empty sections, actions without owner or date, blame')
    .argument('<file>', 'Markdown')
    .addOption(formatOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExit code 1 where it is not finished.\n\nExample:\n  firedrill postmortem lint postmortem.md',
    )
    .action(async (file: string, flags: { format: string }) => {
      const { lintPostmortem } = await import('./postmortem/lint.js');
      const { inputName, readInput } = await import('../base/input.js');
      const problems = lintPostmortem(inputName(file), readInput(file));
      if (flags.format === 'json') write(`${JSON.stringify(problems, undefined, 2)}\n`);
      else if (problems.length === 0) write(`${file}: nothing is left to do\n`);
      else for (const p of problems) write(`${formatProblem(p)}\n`);
      if (problems.length > 0) process.exitCode = exitCode.failed;
    });
}

/** The command line as a list of parts: the commands of each part, and the module that adds them. */
import { Command } from 'commander';
import { inGroups } from './base/command-groups.js';
import type { Candidate, KnownValues } from './base/completion-command.js';
import { withOldSpellings } from './base/old-spellings.js';
import { packageVersion } from './base/paths.js';

export interface Part {
  commands: readonly string[];
  add(program: Command): Promise<void>;
}

/** Each of these exists twice: `firedrill stat` and `firedrill mesh stat`. */
const meshVerbs: readonly Part[] = [
  {
    commands: ['proxy'],
    add: async (program) => (await import('./mesh/proxy/commands.js')).registerProxy(program),
  },
  {
    commands: ['controller', 'identity'],
    add: async (program) =>
      (await import('./mesh/controller/commands.js')).registerController(program),
  },
  {
    commands: [
      'install',
      'upgrade',
      'uninstall',
      'collector',
      'injector',
      'inject',
      'uninject',
      'proxy-init',
      'redirector',
      'check',
      'stat',
      'routes',
      'top',
      'edges',
      'tap',
      'why',
      'policy',
      'compliance',
      'version',
      'canary',
      'diagnostics',
      'readiness',
      'profile',
    ],
    add: async (program) =>
      (await import('./mesh/kubernetes/commands.js')).registerKubernetes(program, async () =>
        (await import('./alerts/library/monitoring.js')).monitoringParts(),
      ),
  },
];

/** In the order for readers. A test compares each list of names with the part's commands. */
export const parts: readonly Part[] = [
  ...meshVerbs,
  {
    commands: ['mesh'],
    add: async (program) => {
      (await import('./mesh/simulation/commands.js')).registerSimulation(program);
      const mesh = program.commands.find((c) => c.name() === 'mesh');
      // The short names stay beside these, for people who know Linkerd.
      if (mesh !== undefined) for (const verbs of meshVerbs) await verbs.add(mesh);
    },
  },
  {
    commands: ['slo', 'dashboards'],
    add: async (program) => (await import('./slo/commands.js')).registerSlo(program),
  },
  {
    commands: ['promql'],
    add: async (program) => (await import('./slo/promql/commands.js')).registerPromql(program),
  },
  {
    commands: ['alerts'],
    add: async (program) => (await import('./alerts/commands.js')).registerAlerts(program),
  },
  {
    commands: ['watch'],
    add: async (program) =>
      (await import('./alerts/watch/serve/command.js')).registerWatch(program),
  },
  {
    commands: ['drift'],
    add: async (program) => (await import('./alerts/drift/command.js')).registerDrift(program),
  },
  {
    commands: ['init', 'doctor', 'gameday', 'relay', 'load'],
    add: async (program) => (await import('./chaos/commands.js')).registerChaos(program),
  },
  {
    commands: ['runbook', 'postmortem', 'routine'],
    add: async (program) => (await import('./runbooks/commands.js')).registerRunbooks(program),
  },
  {
    commands: ['console'],
    add: async (program) => (await import('./console/command.js')).registerConsole(program),
  },
  {
    commands: ['tools'],
    add: async (program) => (await import('./base/tools-command.js')).registerTools(program),
  },
  {
    commands: ['completion', '__complete'],
    add: async (program) =>
      (await import('./base/completion-command.js')).registerCompletion(program, knownValues),
  },
];

const scenarios = async (): Promise<Candidate[]> => {
  const { ownScenarios, readScenarios } = await import('./chaos/scenarios/read.js');
  return readScenarios(ownScenarios()).map(({ scenario }) => ({
    word: scenario.id,
    description: scenario.title,
  }));
};
const pages = async (): Promise<Candidate[]> => {
  const { readPages } = await import('./runbooks/pages.js');
  return [...readPages().values()].flatMap(({ name, title, covers }) =>
    [...new Set([name, ...covers])].map((word) => ({ word, description: title })),
  );
};
const bare = (words: readonly string[]): Candidate[] =>
  words.map((word) => ({ word, description: '' }));
const checklists = async (): Promise<Candidate[]> =>
  bare(Object.keys((await import('./mesh/kubernetes/readiness/checklists.js')).checklists));
const diagnostics = async (): Promise<Candidate[]> =>
  (await import('./mesh/kubernetes/diagnostics/entries.js')).entries.map((entry) => ({
    word: entry.id,
    description: entry.symptom,
  }));
const knownValues: KnownValues = {
  diagnostics,
  'mesh diagnostics': diagnostics,
  readiness: checklists,
  'mesh readiness': checklists,
  routine: async () => bare(Object.keys((await import('./runbooks/routine/model.js')).routineDays)),
  'tools install': async () => bare(['all', ...(await import('./base/tools.js')).toolNames]),
  'runbook for': pages,
  'runbook walk': pages,
  'gameday run --scenarios': scenarios,
  'gameday plan --scenarios': scenarios,
  'gameday check': scenarios,
  'gameday export': scenarios,
  'runbook show': pages,
  'runbook render': pages,
};

/** Used by completion, and by the lint that checks the commands in runbooks. */
const readsAll: ReadonlySet<string> = new Set(['__complete', 'runbook']);

/**
 * The program for the words after its name. If the first word is a command, only that command's part is loaded, so
 * that a start costs no more than it needs. Help, completion and errors load every command.
 */
export async function commandLine(words: readonly string[]): Promise<Command> {
  const program = new Command('firedrill')
    // A command has its own flags, even if a parent command has the same.
    .enablePositionalOptions()
    .description('Write an SLO once, and know, measured, that the right alert fires in time.')
    .version(packageVersion())
    .exitOverride();
  const [first = ''] = words;
  if (first === '--version' || first === '-V') return program;
  const asked = readsAll.has(first) ? undefined : parts.find((p) => p.commands.includes(first));
  for (const part of asked === undefined ? parts : [asked]) await part.add(program);
  withOldSpellings(program);
  inGroups(program);
  for (const c of program.commands) if (c.name() === 'mesh') inGroups(c);
  withHints(program, 'firedrill');
  return program;
}

/** After a mistake each command names its own help. */
function withHints(command: Command, name: string): void {
  const what = command.commands.length > 0 ? 'lists the commands' : 'shows the options';
  command.showHelpAfterError(`(${name} --help ${what})`);
  for (const below of command.commands) withHints(below, `${name} ${below.name()}`);
}

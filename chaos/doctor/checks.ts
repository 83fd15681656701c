/** Checks whether this machine can run Firedrill: one finding for each requirement of a game day or a command. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, freemem, tmpdir } from 'node:os';
import { messageOf } from '../../base/errors.js';
import { oldRuntimeWarning } from '../../base/old-runtime.js';
import { freePorts } from '../../base/ports.js';
import { counted } from '../../base/terminal.js';
import { findTool, type ToolName, tools } from '../../base/tools.js';
import { tryFolder } from '../../base/writable-folder.js';
import { groupRoot } from '../faults/control-group.js';
import { isAlive, type JournalLine, journalFiles, readJournal } from '../runner/journal.js';
import { readSwitch } from '../runner/stop-switch.js';
import { whyNoNetwork } from '../system/processes/network.js';

export interface Finding {
  /** Unique, in kebab case; programs identify the check by it. */
  id: string;
  status: 'ok' | 'warn' | 'fail';
  message: string;
  /** The remedy for a status other than ok. */
  fix?: string;
}

/** The input of the checks; tests pass other values. */
export interface Machine {
  /** The version of Node, as in process.versions.node. */
  node: string;
  cores: number;
  freeBytes: number;
  temporaryFolder: string;
  stateFolder: string;
  find(tool: ToolName): string | undefined;
}

export const thisMachine = (stateFolder: string): Machine => ({
  node: process.versions.node,
  cores: availableParallelism(),
  freeBytes: freemem(),
  temporaryFolder: tmpdir(),
  stateFolder,
  find: findTool,
});

/** Programs that a game day starts if they are installed; an embedded stand-in replaces a missing one. */
const standIns: Partial<Record<ToolName, string>> = {
  prometheus: 'the embedded evaluator is used',
  alertmanager: 'the embedded Alertmanager is used',
  k6: 'the embedded load driver is used',
};
const leastFreeBytes = 512 * 1024 * 1024;
const leastFiles = 1024;

/** Returns every finding, in the order in which a reader needs them. Takes about 0.1 s; leaves no change behind. */
export async function examine(machine: Machine): Promise<Finding[]> {
  return [
    ofNode(machine.node),
    ofProcessor(machine.cores),
    ofMemory(machine.freeBytes),
    ofOpenFiles(),
    ofFolder('temporary-folder', 'temporary folder', machine.temporaryFolder),
    ofFolder('state-folder', 'state folder', machine.stateFolder),
    await ofPorts(),
    ofSwitch(machine.stateFolder),
    ...ofJournals(machine.stateFolder),
    ...Object.entries(standIns).map(([name, standIn]) =>
      ofTool(machine, name as ToolName, standIn),
    ),
    ofControlGroup('cpu'),
    ofControlGroup('memory'),
    ofTransparentMode(machine),
    ofNetworks(),
  ];
}

function ofNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const message = `Node ${version}`;
  const fix = 'install Node 24';
  if (major < 20 || (major === 20 && minor < 18)) {
    return { id: 'node', status: 'fail', message: `${message}: 20.18 or later is needed`, fix };
  }
  if (oldRuntimeWarning(version) !== undefined) {
    const late = `${message}: past its end of life, without security fixes`;
    return { id: 'node', status: 'warn', message: late, fix };
  }
  return { id: 'node', status: 'ok', message };
}

function ofProcessor(cores: number): Finding {
  const message = counted(cores, 'processor core');
  if (cores >= 2) return { id: 'processor', status: 'ok', message };
  return {
    id: 'processor',
    status: 'warn',
    message: `${message}: detection times of a game day will be noisy`,
    fix: 'use a machine with two cores, or a larger --time-scale',
  };
}

function ofMemory(freeBytes: number): Finding {
  const message = `${Math.round(freeBytes / 1024 / 1024)} MiB of memory free`;
  if (freeBytes >= leastFreeBytes) return { id: 'memory', status: 'ok', message };
  return {
    id: 'memory',
    status: 'warn',
    message: `${message}: the example drill needs about 512`,
    fix: 'stop other programs',
  };
}

/** Checks the kernel's soft limit of open files, if the kernel reports one. */
function ofOpenFiles(): Finding {
  let limit: number;
  try {
    const text = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files +(\S+)/m.exec(text)?.[1];
    limit = soft === 'unlimited' ? Infinity : Number(soft);
  } catch {
    return { id: 'open-files', status: 'ok', message: 'open files: no limit is told here' };
  }
  const message = `${limit} open files a process`;
  if (!(limit < leastFiles)) return { id: 'open-files', status: 'ok', message };
  return {
    id: 'open-files',
    status: 'warn',
    message: `${message}: a proxy under load needs more`,
    fix: `ulimit -n ${leastFiles * 4}`,
  };
}

function ofFolder(id: string, name: string, path: string): Finding {
  try {
    tryFolder(path, name);
    return { id, status: 'ok', message: `${name} ${path} is writable` };
  } catch (error) {
    const fix =
      id === 'state-folder' ? 'name another one with --state' : 'set TMPDIR to another folder';
    return { id, status: 'fail', message: messageOf(error), fix };
  }
}

async function ofPorts(): Promise<Finding> {
  try {
    await freePorts(8);
    return { id: 'ports', status: 'ok', message: 'ports of 127.0.0.1 can be opened' };
  } catch (error) {
    const message = `no ports of 127.0.0.1 can be opened: ${messageOf(error)}`;
    return { id: 'ports', status: 'fail', message, fix: 'allow servers on the loopback device' };
  }
}

function ofSwitch(stateFolder: string): Finding {
  const stop = readSwitch(stateFolder);
  if (stop === undefined) {
    return { id: 'kill-switch', status: 'ok', message: 'the kill switch is not thrown' };
  }
  return {
    id: 'kill-switch',
    status: 'fail',
    message: `the kill switch is thrown (${stop.reason}): no run can begin`,
    fix: 'firedrill gameday stop --clear',
  };
}

function ofJournals(stateFolder: string): Finding[] {
  const findings = journalFiles(stateFolder).map((file): Finding => {
    let begin: Extract<JournalLine, { kind: 'begin' }> | undefined;
    try {
      begin = readJournal(file).find((line) => line.kind === 'begin');
    } catch (error) {
      const message = `the journal cannot be read: ${messageOf(error)}`;
      return { id: 'leftovers', status: 'fail', message, fix: 'run as the user who started it' };
    }
    if (begin !== undefined && isAlive(begin.pid, begin.startTicks)) {
      return {
        id: 'leftovers',
        status: 'warn',
        message: `run ${begin.run} is under way (process ${begin.pid})`,
        fix: 'wait for it, or: firedrill gameday stop',
      };
    }
    return {
      id: 'leftovers',
      status: 'fail',
      message: `run ${begin?.run ?? file} was killed and left its journal`,
      fix: `firedrill gameday recover --state ${stateFolder}`,
    };
  });
  if (findings.length > 0) return findings;
  return [{ id: 'leftovers', status: 'ok', message: `no run left anything in ${stateFolder}` }];
}

function ofTool({ find }: Machine, name: ToolName, standIn: string): Finding {
  const path = find(name);
  if (path !== undefined) return { id: name, status: 'ok', message: `${name}: ${path}` };
  return {
    id: name,
    status: 'warn',
    message: `${name} (${tools[name].purpose}) was not found: ${standIn}`,
    fix: `firedrill tools install ${name}`,
  };
}

function ofControlGroup(controller: 'cpu' | 'memory'): Finding {
  const root = groupRoot(controller);
  const id = `control-group-${controller}`;
  if (!('why' in root)) {
    return { id, status: 'ok', message: `${controller} faults: ${root.folder}` };
  }
  return {
    id,
    status: 'warn',
    message: `${controller} faults cannot run: ${root.why}`,
    fix: 'run as root, or leave these faults out',
  };
}

function ofNetworks(): Finding {
  const id = 'own-network';
  const why = whyNoNetwork();
  if (why === undefined) return { id, status: 'ok', message: 'services can have network: own' };
  return {
    id,
    status: 'warn',
    message: `services cannot have network: own: ${why}`,
    fix: 'run as root, with iproute2, iptables and util-linux, or give addresses by ${calls.NAME.url}',
  };
}

function ofTransparentMode({ find }: Machine): Finding {
  const missing = find('iptables') === undefined ? ['iptables'] : [];
  try {
    createRequire(import.meta.url).resolve('koffi');
  } catch {
    missing.push('the optional package koffi');
  }
  const id = 'transparent-mode';
  if (missing.length === 0) return { id, status: 'ok', message: 'transparent mode can be used' };
  return {
    id,
    status: 'warn',
    message: `transparent mode of the proxy lacks ${missing.join(' and ')}; explicit mode works`,
    fix: 'install it where pods are redirected to the proxy; nothing else needs it',
  };
}

/** The commands of a mesh in Kubernetes. */
import type { Command } from 'commander';
import { registerCheck } from './check/check-command.js';
import { registerReadiness } from './readiness/readiness-command.js';
import { registerInject, registerRedirector } from './inject/inject-commands.js';
import { registerProxyInit } from './inject/proxy-init.js';
import { registerDiagnostics } from './diagnostics/diagnostics-command.js';
import { registerProfile } from './profile/profile-command.js';
import { registerCanary } from './observe/canary-command.js';
import { registerObserve } from './observe/observe-commands.js';
import { registerVersion } from './observe/version-command.js';
import { registerCollector } from './install/collector-command.js';
import { type LoadMonitoring, registerInstall } from './install/install-commands.js';

export function registerKubernetes(program: Command, monitoring: LoadMonitoring): void {
  registerInstall(program, monitoring);
  registerCollector(program);
  registerInject(program);
  registerRedirector(program);
  registerProxyInit(program);
  registerCheck(program);
  registerObserve(program);
  registerVersion(program);
  registerCanary(program);
  registerDiagnostics(program);
  registerReadiness(program);
  registerProfile(program);
}

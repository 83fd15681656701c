/** Runs a command in a container, through the API server (pods/exec), with the caller's own rights. */
import { PassThrough } from 'node:stream';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import type { CredentialOptions } from './credentials.js';

export interface ContainerName {
  namespace: string;
  pod: string;
  container: string;
}

export interface Executed {
  /** Closes the command's standard input, and the connection. */
  close(): void;
  /** Resolves when the command has ended or the connection is lost, to the last output or the API server's message. */
  ended: Promise<string>;
}

const keptErrors = 500;

/** Resolves when the command has started. Throws a UserError if the API server refuses it. */
export async function execInPod(
  options: CredentialOptions,
  { namespace, pod, container }: ContainerName,
  command: readonly string[],
): Promise<Executed> {
  const { KubeConfig, Exec } = await import('./kubeconfig.js');
  const config = new KubeConfig();
  if (options.kubeconfig) config.loadFromFile(options.kubeconfig);
  else config.loadFromDefault();
  if (options.context) config.setCurrentContext(options.context);
  const input = new PassThrough();
  const [output, errors] = [new PassThrough(), new PassThrough()];
  let said = '';
  output.resume();
  errors.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-keptErrors)));
  try {
    const socket = await new Exec(config).exec(
      namespace,
      pod,
      container,
      [...command],
      output,
      errors,
      input,
      false,
      ({ status, message }) => {
        if (status === 'Failure' && message !== undefined) said = `${said} ${message}`;
      },
    );
    const ended = new Promise<string>((resolve) => {
      socket.addEventListener('close', () => resolve(said.trim()));
      socket.addEventListener('error', () => undefined);
    });
    return {
      close: () => {
        input.end();
        socket.close();
      },
      ended,
    };
  } catch (error) {
    const event = error as { message?: unknown };
    const text = typeof event.message === 'string' ? event.message : messageOf(error);
    const what = `${namespace}/${pod}: no command could be run in ${container}: ${text}`;
    throw new UserError(what, exitCode.environment);
  }
}

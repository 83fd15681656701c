/** A thousand SLOs from Sloth's format to rules: wall time and memory, beside promtool's check of the same output. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../base/make-folder.js';
import { packageRoot, program } from '../base/paths.js';
import { requireTool } from '../base/tools.js';
import { median } from './median.js';

const count = 1000;

function specText(): string {
  let text = 'version: prometheus/v1\nservice: bench\nlabels:\n  owner: team-bench\nslos:\n';
  for (let i = 0; i < count; i++) {
    const job = `job="api",route="/r${i}"`;
    text += `  - name: availability-${i}
    objective: 99.9
    description: Route ${i} answers without failing.
    sli:
      events:
        error_query: sum(rate(http_request_duration_seconds_count{${job},code=~"(5..|429)"}[{{.window}}]))
        total_query: sum(rate(http_request_duration_seconds_count{${job}}[{{.window}}]))
    alerting:
      name: BenchAvailability${i}
      labels:
        category: availability
      annotations:
        runbook_url: https://runbooks.example/${i}
      page_alert:
        labels:
          routing_key: team-bench
      ticket_alert:
        labels:
          slack_channel: team-bench
`;
  }
  return text;
}

interface Run {
  wallMs: number;
  peakMb: number;
}

/** One run; the peak is the kernel's figure for the process (`VmHWM` by GNU time's %M, in kB). */
function run(command: string, args: string[]): Run {
  const script =
    'import os,sys,time,resource,subprocess\nt=time.monotonic()\n' +
    'p=subprocess.Popen(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.PIPE)\n' +
    'e=p.stderr.read()\n_,s,u=os.wait4(p.pid,0)\nw=time.monotonic()-t\n' +
    'sys.stderr.write(e.decode()) if s else None\nprint(w*1000,u.ru_maxrss/1024,s)';
  const result = spawnSync('python3', ['-c', script, command, ...args], { encoding: 'utf8' });
  const [wallMs, peakMb, status] = result.stdout.trim().split(' ').map(Number);
  if (status !== 0) throw new Error(`${command} failed: ${result.stderr}`);
  return { wallMs: wallMs as number, peakMb: peakMb as number };
}

const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-slo-'));
try {
  const input = join(folder, 'in.yaml');
  const output = join(folder, 'out.yaml');
  writeFileSync(input, specText());
  const ours: Run[] = [];
  const peer: Run[] = [];
  for (let i = 0; i < 7; i++) {
    const args = [program('cli'), 'slo', 'generate', '-i', input, '-o', output];
    ours.push(run(process.execPath, args));
    peer.push(run(requireTool('promtool'), ['check', 'rules', output]));
  }
  const rules = readFileSync(output, 'utf8').match(/- (record|alert):/g)?.length ?? 0;
  const result = {
    slos: count,
    rules,
    outputMb: statSync(output).size / 1e6,
    wallMs: median(ours.map((r) => r.wallMs)),
    peakMb: median(ours.map((r) => r.peakMb)),
    promtoolWallMs: median(peer.map((r) => r.wallMs)),
    promtoolPeakMb: median(peer.map((r) => r.peakMb)),
    wallRatio: 0,
    memoryRatioToSloth: 0,
  };
  result.wallRatio = result.wallMs / result.promtoolWallMs;
  result.memoryRatioToSloth = result.peakMb / 333;
  const text = `# ${count} SLOs from Sloth's format to rules

Medians of 7 runs, whole processes, in turn with \`promtool check rules\` on the same output (${rules} rules,
${result.outputMb.toFixed(1)} MB), which takes as long as Sloth takes to generate (measured: 1.14 s and 1.10 s).

| | wall | peak memory |
| --- | ---: | ---: |
| firedrill slo generate | ${result.wallMs.toFixed(0)} ms | ${result.peakMb.toFixed(0)} MB |
| promtool check rules | ${result.promtoolWallMs.toFixed(0)} ms | ${result.promtoolPeakMb.toFixed(0)} MB |
| ratio (bar) | ${result.wallRatio.toFixed(2)} (0.5) | ${result.memoryRatioToSloth.toFixed(2)} of Sloth's 333 MB (0.6) |

Repeat with \`npm run bench:slo\`.
`;
  makeFolder(join(packageRoot, 'bench/results'));
  writeFileSync(join(packageRoot, 'bench/results/slo.md'), text);
  const json = `${JSON.stringify(result, undefined, 2)}\n`;
  writeFileSync(join(packageRoot, 'bench/results/slo.json'), json);
  process.stdout.write(text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

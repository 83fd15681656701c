/** The metrics that alerts, SLOs and dashboards name are those that proxies, controller and injector expose. */
import { expect, test } from 'vitest';
import { MetricCatalogue } from '../../alerts/lint/catalogue.js';
import { addMeshMetrics, controllerMetricLabels } from '../../alerts/lint/mesh-catalogue.js';
import { controllerMetrics, type MetricSources } from '../../mesh/controller/metrics.js';
import {
  certificateMetrics,
  makeServingCertificate,
} from '../../mesh/kubernetes/inject/certificate.js';
import { meshMetrics } from '../../slo/spec/mesh-metrics.js';

test('every name in slo/spec/mesh-metrics.ts is exposed by some part of the mesh', () => {
  const catalogue = new MetricCatalogue();
  addMeshMetrics(catalogue);
  expect(Object.values(meshMetrics).filter((name) => !catalogue.find(name))).toEqual([]);
});

test("lint's list of the controller's metrics is what the controller registers", () => {
  // The controller registers its names before it reads anything.
  const registry = controllerMetrics({ propagation: {} } as unknown as MetricSources);
  const names = registry.getMetricsAsArray().map((m) => m.name);
  const own = names.filter((n) => n.startsWith('firedrill_'));
  expect(own.sort()).toEqual(Object.keys(controllerMetricLabels).sort());
  registry.clear();
});

test('F3: the injector says when the certificate of its webhooks expires', async () => {
  const nowMs = Date.UTC(2026, 10, 26);
  const options = { dnsNames: ['injector.firedrill.svc'], lifetimeMs: 86_400_000 };
  const serving = await makeServingCertificate(options, nowMs);
  expect(certificateMetrics(serving)).toContain(
    `${meshMetrics.webhookExpiry} ${(nowMs + 86_400_000) / 1000}\n`,
  );
});

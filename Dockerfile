# The one image of the mesh: controller, injector, proxy and the init container's proxy-init (firedrill install names it).
#
#   docker build --build-arg NODE_IMAGE=node:24-slim@sha256:DIGEST -t REGISTRY/firedrill:VERSION .
#
# The caller names the digest: `docker buildx imagetools inspect node:24-slim` prints today's. A release names
# one (docs/releasing.md); without a digest two builds of the same tag may differ.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --ignore-scripts
COPY . .
# The package as npm would publish it, installed as a user installs it: no sources, tests or development dependencies.
RUN npm pack --pack-destination /tmp \
  && mkdir /app && tar xzf /tmp/firedrill-*.tgz -C /app --strip-components=1 \
  && cp package-lock.json /app/ && cd /app && npm ci --omit=dev --no-audit --ignore-scripts \
  && npm rebuild koffi \
  && npm sbom --omit=dev --sbom-format=cyclonedx > /app/sbom.cdx.json
# V8's code cache, which the package for any Node cannot contain: with it a sidecar compiles nothing at its start.
RUN npm run -s build && cp dist/parts/*.cache /app/dist/parts/

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="firedrill" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.description="Controller, injector and proxy of the Firedrill mesh"
# proxy-init writes the pod's redirection with iptables, nft or legacy; the redirector enters pods with the base
# image's nsenter. A running mesh does not need npm.
RUN apt-get update && apt-get install -y --no-install-recommends iptables \
  && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx \
    /usr/local/bin/corepack /opt/yarn-* /usr/local/include
WORKDIR /app
COPY --from=build --chown=0:0 /app /app
# Nothing is written below /: run it with --read-only (the manifests do), and a tmpfs for keys.
USER 2103:2103
# A proxy's readiness; other programs of the image have probes of their own in the manifests.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "/app/dist/mesh/proxy/await.js", "4191", "2"]
ENTRYPOINT ["node", "/app/dist/cli.js"]

# The one image of the mesh: controller, injector, proxy and the init container's proxy-init (firedrill install names it).
#
#   docker build -t firedrill/firedrill:0.1.0 .
FROM node:20-slim AS build
WORKDIR /app
# npm ci also builds ("prepare").
COPY . .
RUN npm ci --no-audit && npm prune --omit=dev --ignore-scripts

FROM node:20-slim
# proxy-init writes the pod's redirection with it, nft or legacy.
RUN apt-get update && apt-get install -y --no-install-recommends iptables && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# What is read at run time beside the code: the stream's .proto, runbooks' templates, scenarios, the library of alerts.
COPY --from=build /app/mesh ./mesh
COPY --from=build /app/alerts ./alerts
COPY --from=build /app/chaos ./chaos
COPY --from=build /app/runbooks ./runbooks
COPY --from=build /app/slo ./slo
COPY --from=build /app/examples ./examples
USER 2103:2103
ENTRYPOINT ["node", "/app/dist/cli.js"]

# syntax=docker/dockerfile:1
# Waybill in a container: no shell is needed, nothing runs as root, and the root file system may be read-only.
# `compose.yaml` beside this file runs it that way.

FROM node:24.21.0-trixie-slim AS build
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund
RUN sh packaging/assemble.sh /opt/waybill

FROM node:24.21.0-trixie-slim
ENV NODE_ENV=production
COPY --from=build /opt/waybill /opt/waybill
COPY packaging/container.yaml /etc/waybill/waybill.yaml
# Everything that changes is in one directory, which belongs to the user that runs.
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/waybill && ln -s /opt/waybill/bin/waybill.js /usr/local/bin/waybill
USER 10001:10001
WORKDIR /var/lib/waybill
VOLUME /var/lib/waybill
EXPOSE 8400
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8400/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/opt/waybill/bin/waybill.js"]
CMD ["run", "-c", "/etc/waybill/waybill.yaml"]

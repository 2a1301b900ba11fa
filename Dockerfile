FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY src src
RUN npm run build

FROM node:24-slim
LABEL org.opencontainers.image.title="Tandem" \
      org.opencontainers.image.description="Two-way replication between two ordinary Redis or Valkey servers" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.vendor="The Tandem authors"
ENV NODE_ENV=production \
    TANDEM_HTTP_HOST=0.0.0.0 \
    TANDEM_HTTP_PORT=8080
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force
COPY --from=build /app/dist dist
RUN ln -s /app/dist/cli.js /usr/local/bin/tandem
USER node
EXPOSE 8080
# Whether the process works, or stands by. A peer that is away and a pause are no reason to start it anew. Readiness is /readyz.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["tandem", "health"]
ENTRYPOINT ["tandem"]
CMD ["run"]

# syntax=docker/dockerfile:1
# One image for all roles: API, worker (code server), daemon, webserver and the runs; the command says which.
# docker build --build-arg COMMIT=$(git rev-parse HEAD) -t lease-bot .
FROM python:3.11-slim-trixie AS build
WORKDIR /app
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements-kubernetes.lock ./
RUN /opt/venv/bin/python -m pip install --no-deps --require-hashes -r requirements-kubernetes.lock
COPY pyproject.toml README.md ./
COPY leasebot_pipeline leasebot_pipeline
COPY assets assets
COPY sensors sensors
COPY api api
RUN /opt/venv/bin/python -m pip install --no-deps . \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib

FROM python:3.11-slim-trixie
ARG COMMIT=unknown
LABEL org.opencontainers.image.revision=${COMMIT}
# Debian keeps only the newest build of a browser: a pinned one could not be installed a week later.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium-headless-shell fonts-liberation tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 leasebot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin leasebot \
    && mkdir -p /app/dagster_home /data \
    && chown 10001:10001 /app/dagster_home /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY dagster.yaml workspace.yaml ./
ENV PATH=/opt/venv/bin:$PATH \
    LEASE_BOT_COMMIT=${COMMIT} \
    LEASE_BOT_DATA_DIR=/data \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 3000 3001 4000
ENTRYPOINT ["tini", "--"]
CMD ["leasebot", "--help"]

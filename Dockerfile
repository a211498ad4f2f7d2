# chatapp as an image. The first stage runs bin/setup, as an installation without containers does; the second has only
# what serving needs. compose.yaml runs it.
#
# To pin the base image to one build, pass its digest: --build-arg PYTHON=python:3.11-slim-trixie@sha256:…
ARG PYTHON=python:3.11-slim-trixie

FROM ${PYTHON} AS build
# The same folder as in the second stage: a virtual environment cannot be moved.
WORKDIR /srv/chatapp
COPY . .
# Node.js and npm come from a wheel. They and the installers are not needed afterwards.
RUN --mount=type=cache,target=/root/.cache --mount=type=cache,target=/root/.npm \
    bin/setup \
    && .venv/bin/python -m pip uninstall --quiet --yes uv pip \
    && rm -rf .setup .venv-node node_modules

FROM ${PYTHON}
# `flask backup` and `flask restore` run the programs of PostgreSQL.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 chatapp \
    && useradd --uid 10001 --gid chatapp --home-dir /data --no-create-home --shell /usr/sbin/nologin chatapp \
    && install --directory --owner=chatapp --group=chatapp --mode=0700 /data
WORKDIR /srv/chatapp
COPY --from=build /srv/chatapp .
ENV PATH=/srv/chatapp/.venv/bin:$PATH \
    CHATAPP_DATA_DIR=/data \
    HOST=0.0.0.0 \
    PORT=5000
# By number: Kubernetes checks that it is not root (runAsNonRoot).
USER 10001:10001
# Everything is written to /data and /tmp: the rest may be read-only.
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD \
    ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]
CMD ["python", "wsgi.py", "--upgrade"]

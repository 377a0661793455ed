# The base image. It is an argument, so that an operator can pin it by digest (a tag can be moved, a digest cannot) or take it
# from a registry of their own:
#
#   docker buildx imagetools inspect python:3.11-slim-bookworm     # prints "Digest: sha256:…"
#   docker build --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:<that digest> -t toolfunnel .
#
# Both stages use it: the virtual environment refers to this very interpreter. requirements/ is locked for Python 3.11.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm


FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

# The environment that is shipped has no pip of its own; the one beside it fills it and is left behind.
RUN python -m venv /build/tools && python -m venv --without-pip /opt/toolfunnel

# First what changes rarely. Every file is checked against its hash, no package's own code runs to build it, and nothing is
# resolved: the lock is complete.
COPY requirements/base.txt requirements/build.txt requirements/
RUN /build/tools/bin/pip --python /opt/toolfunnel/bin/python install --no-deps --require-hashes --only-binary :all: -r requirements/base.txt \
 && /build/tools/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements/build.txt

# Then the project itself, without asking any index.
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY router router
COPY app app
RUN /build/tools/bin/hatchling build -t wheel -d dist \
 && /build/tools/bin/pip --python /opt/toolfunnel/bin/python install --no-index --no-deps dist/*.whl \
 && /build/tools/bin/pip --python /opt/toolfunnel/bin/python check


FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Toolfunnel" \
      org.opencontainers.image.description="An OpenAI-compatible proxy that gives each request the few tools it needs out of a catalogue of thousands." \
      org.opencontainers.image.source="https://github.com/toolfunnel/toolfunnel" \
      org.opencontainers.image.documentation="https://github.com/toolfunnel/toolfunnel/tree/main/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"

# /data belongs to the user before it becomes a volume: a new volume takes over owner and mode.
RUN groupadd --gid 10001 toolfunnel \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin toolfunnel \
 && install --directory --owner 10001 --group 10001 --mode 0750 /data

COPY --from=build /opt/toolfunnel /opt/toolfunnel
COPY --chmod=0644 config.yaml /etc/toolfunnel/config.yaml

# Nothing is written outside /data and /tmp, so the root file system can be read-only.
ENV PATH=/opt/toolfunnel/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOOLFUNNEL_CONFIG=/etc/toolfunnel/config.yaml \
    TOOLFUNNEL_REGISTRY__URL=sqlite:////data/toolfunnel.db

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# The port may be changed by the environment; a proxy named there must not be asked for our own address.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-I", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + (os.environ.get('TOOLFUNNEL_SERVER__PORT') or '8000') + '/healthz', timeout=4)"]

# Listens on every address, so TOOLFUNNEL_ADMIN__KEY must be set: without it the start is refused.
ENTRYPOINT ["toolfunnel"]
CMD ["serve", "--host", "0.0.0.0"]

# syntax=docker/dockerfile:1
# Plexica's web server, workers and commands in one image; docker-compose.yml says which is which.

ARG PYTHON_IMAGE=python:3.13-slim-trixie
ARG NODE_IMAGE=node:24-trixie-slim
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.9

FROM ${UV_IMAGE} AS uv

# --- styles, scripts, fonts, icons: static/vendor -----------------------------------------------------
FROM ${NODE_IMAGE} AS front
WORKDIR /src
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev --no-audit --no-fund
COPY static/ static/
RUN node static/build.mjs

# --- packages, translations, collected static files ---------------------------------------------------
FROM ${PYTHON_IMAGE} AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY requirements.txt requirements-dev.txt ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv /opt/venv \
    && uv pip install --python /opt/venv/bin/python -r requirements.txt \
    && uv venv /opt/venv-build \
    && uv pip install --python /opt/venv-build/bin/python -r requirements.txt -c requirements-dev.txt babel
COPY . .
COPY --from=front /src/static/vendor/ static/vendor/
# Settings are complete or refuse to start. These values reach no server and stay in no layer.
RUN /opt/venv-build/bin/python -m deploy.messages compile \
    && PLEXICA_SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
       PLEXICA_ENCRYPTION_KEYS="$(python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')" \
       PLEXICA_DATABASE_URL=postgresql://nobody@localhost/nothing \
       PLEXICA_REDIS_URL=redis://localhost/0 PLEXICA_BROKER_URL=redis://localhost/1 \
       PLEXICA_S3_ACCESS_KEY=none PLEXICA_S3_SECRET_KEY=none \
       PLEXICA_STATIC_ROOT=/app/staticfiles \
       /opt/venv/bin/python manage.py collectstatic --no-input \
    && /opt/venv/bin/python -m compileall -q . \
    && rm -rf deploy package.json package-lock.json requirements-dev.txt

# --- what runs ----------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS plexica
ARG RELEASE=dev
LABEL org.opencontainers.image.title="Plexica" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${RELEASE}"
RUN groupadd --system --gid 10001 plexica \
    && useradd --system --uid 10001 --gid plexica --no-create-home --home-dir /app --shell /usr/sbin/nologin plexica
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
RUN install -d -o plexica -g plexica /app/var
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PLEXICA_ENV=production \
    PLEXICA_RELEASE=${RELEASE} \
    PLEXICA_STATIC_ROOT=/app/staticfiles
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
CMD ["granian", "--interface", "wsgi", "plexica.wsgi:application", "--host", "0.0.0.0", "--port", "8000", "--workers", "1", "--blocking-threads", "4"]

# The portal, and the reverse proxy before it (`--target proxy`). docker-compose.yml builds and runs both.

FROM python:3.13-slim-bookworm AS packages
WORKDIR /build
COPY requirements.lock .
# Wheels alone, and only those whose hashes are in the lock: nothing is compiled, and no installer is left in the image.
ENV PIP_CACHE_DIR=/var/cache/pip
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/portal \
    && pip --disable-pip-version-check --python /opt/portal/bin/python \
        install --require-hashes --only-binary :all: --requirement requirements.lock


FROM caddy:2.10-alpine AS proxy
RUN adduser -D -H -u 10002 caddy \
    && install -d -o caddy -g caddy -m 0700 /data/caddy /config/caddy
COPY deploy/proxy /etc/caddy
USER 10002:10002
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile"]


FROM python:3.13-slim-bookworm AS portal
# Named volumes take over who owns these folders.
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/portal --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal -m 0700 /var/lib/portal /var/lib/sandbox \
    && install -d -o portal -g portal -m 0755 /run/keys
ENV PATH=/opt/portal/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DEBUG=false \
    VAR_DIR=/var/lib/portal \
    KEYS_DIR=/run/keys \
    STATIC_ROOT=/app/staticfiles
WORKDIR /app
COPY --from=packages /opt/portal /opt/portal
COPY static static
COPY templates templates
COPY manage.py .
COPY deploy/keys.py deploy/probe.py deploy/
COPY portal portal
COPY softphones softphones
# The settings ask for secrets; these are made for this one command, and no image holds them.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(48))')" \
    FIELD_ENCRYPTION_KEYS="$(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
    PUBLIC_URL=http://localhost \
    python manage.py collectstatic --no-input \
    && python -m compileall -q portal softphones
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "--config", "python:portal.gunicorn", "--bind", "0.0.0.0:8000", "portal.wsgi"]

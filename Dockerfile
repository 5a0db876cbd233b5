# syntax=docker/dockerfile:1
# Kinprint's service. The root file system may be read-only; data lives in the volume:
#   docker build -t kinprint .
#   docker run --read-only --tmpfs /tmp -v kinprint-data:/data -p 8765:8765 kinprint

FROM python:3.11-slim-bookworm AS build
WORKDIR /source
# What the environment is made from comes first, so that a change of code rebuilds little.
COPY requirements/ requirements/
COPY scripts/setup.sh scripts/
COPY pyproject.toml README.md LICENSE ./
COPY backend/ backend/
COPY hub_hooks/ hub_hooks/
RUN VENV=/venv scripts/setup.sh runtime

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home kinprint \
    && install --directory --owner=kinprint --group=kinprint --mode=700 /data
COPY --from=build /venv /venv
# The Hub's client keeps a cache beside its home; /data and /tmp are all that can be written.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/tmp/huggingface \
    KINPRINT_DATA_DIR=/data \
    KINPRINT_HOST=0.0.0.0 \
    KINPRINT_PORT=8765
USER 10001:10001
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['KINPRINT_PORT'] + '/health/live', timeout=4)"]
ENTRYPOINT ["kinprint"]
CMD ["serve"]

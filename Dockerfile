# One image for every process: scheduler, worker, Flower, tinker_offline and the command line. A fleet pins it by digest:
#   docker build --build-arg PYTHON_IMAGE=python:3.12-slim@sha256:… .
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

# What runs: no tests, no build tools. deploy/requirements.lock has the buckets' libraries (s3, gcs) too.
FROM ${PYTHON_IMAGE}
RUN useradd --create-home --uid 1000 sweep \
    && mkdir -p /state/reports /cache && chown -R sweep /state /cache
COPY deploy/requirements.lock /tmp/requirements.lock
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl
USER sweep
WORKDIR /state
ENV SWEEP_HOME=/state SWEEP_CACHE=/cache PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TINKER_TELEMETRY=0 \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
VOLUME ["/state", "/cache"]
ENTRYPOINT ["sweep"]

# One image for every process: scheduler, worker, Flower, tinker_offline and the command line.
FROM python:3.12-slim
RUN useradd --create-home --uid 1000 sweep && mkdir /state && chown sweep /state
WORKDIR /app
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .
USER sweep
ENV SWEEP_HOME=/state PYTHONUNBUFFERED=1 TINKER_TELEMETRY=0 OMP_NUM_THREADS=1
VOLUME /state
ENTRYPOINT ["sweep"]

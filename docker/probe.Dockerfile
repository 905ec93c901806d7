# What changes most comes last: the steps before it are found in the builder's cache.
ARG BASE_IMAGE=iolab/probe-base
FROM ${BASE_IMAGE}
LABEL iolab.image=probe
ENV PYTHONPATH=/iolab
WORKDIR /iolab
# It stays root, less all capabilities that it is not given: a non-root user gets none of them.
ENTRYPOINT ["python3", "-m", "iolab.harness.beside.probe"]
# A base made from Debian's packages has the tools already, and then the build needs no network.
RUN if ! command -v iptables || ! command -v ss; then \
        apt-get update -qq \
        && apt-get install -y --no-install-recommends iptables iproute2 \
        && rm -rf /var/lib/apt/lists/*; \
    fi
COPY client/__init__.py client/fields.py /iolab/iolab/client/
COPY harness /iolab/iolab/harness
# The root is read-only when it runs: what is not compiled now is compiled at every start.
RUN python3 -m compileall -q /iolab/iolab

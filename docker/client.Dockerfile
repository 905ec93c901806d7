# What changes most comes last: the steps before it are found in the builder's cache.
ARG BASE_IMAGE=iolab/base
FROM ${BASE_IMAGE}
LABEL iolab.image=client
ENV PYTHONPATH=/iolab
WORKDIR /iolab
ENTRYPOINT ["python3", "-m", "iolab.client"]
USER 1000:1000
COPY --chown=1000:1000 client /iolab/iolab/client
# The root is read-only when it runs: what is not compiled now is compiled at every start.
RUN python3 -c 'import sys; sys.version_info >= (3, 11) or sys.exit("needs Python 3.11 or newer")' \
    && python3 -m compileall -q /iolab/iolab/client

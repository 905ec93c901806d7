# What changes most comes last: the steps before it are found in the builder's cache.
ARG BASE_IMAGE=iolab/base
FROM ${BASE_IMAGE}
LABEL iolab.image=server
ENV PYTHONPATH=/iolab:/iolab/site-packages
WORKDIR /iolab
ENTRYPOINT ["python3", "-m", "server"]
# Wheels brought from the host, so that the build itself needs no network (docker/wheels/README.md).
COPY docker/wheels /iolab/wheels
RUN mkdir site-packages \
    && for wheel in wheels/*.whl; do \
           if [ -e "$wheel" ]; then python3 -m zipfile -e "$wheel" site-packages || exit 1; fi; \
       done
USER 1000:1000
COPY --chown=1000:1000 server /iolab/server
# The root is read-only when it runs: what is not compiled now is compiled at every start.
RUN python3 -c 'import sys; sys.version_info >= (3, 11) or sys.exit("needs Python 3.11 or newer")' \
    && python3 -m compileall -q /iolab/server

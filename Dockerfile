# Two stages: one builds, the other runs as an unprivileged user.
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
	build-essential meson ninja-build pkg-config python3 kore libpq-dev \
	libhiredis-dev libssl-dev libjwt-dev libjansson-dev libsodium-dev \
	libcurl4-openssl-dev libmicrohttpd-dev libmosquitto-dev \
	libavro-dev zlib1g-dev \
	libgsl-dev
WORKDIR /src
COPY meson.build ./
COPY assets assets
COPY src src
COPY sql sql
COPY scripts/embed-statements scripts/embed-contract scripts/embed-pages scripts/
# Criterion is absent here, so the tests are left out of the build.
RUN meson setup /build --buildtype=release && ninja -C /build

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
	kore libpq5 libhiredis0.14 libjwt0 libjansson4 libsodium23 libcurl4 \
	libmicrohttpd12 libmosquitto1 libavro23 zlib1g libgsl27 curl ca-certificates tini \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --system --uid 10001 --no-create-home --home-dir /nonexistent penstock \
	&& install -d -o penstock /archive
COPY --from=build /build/penstock.so /build/src/cmd/penstock-migrate \
	/build/src/cmd/penstock-bootstrap /build/src/cmd/penstock-district \
	/build/src/cmd/penstock-feed /build/src/cmd/penstock-lab \
	/build/src/cmd/penstock-archive \
	/build/src/cmd/penstock-mqtt /opt/penstock/
COPY conf/penstock.conf /opt/penstock/
COPY sql/migrations /opt/penstock/migrations
USER penstock
WORKDIR /opt/penstock
ENV PATH=/opt/penstock:$PATH PENSTOCK_HOST=0.0.0.0
EXPOSE 8443
HEALTHCHECK --interval=10s --timeout=3s CMD curl -fsS \
	--cacert "$PENSTOCK_TLS_CERT" --resolve "localhost:${PENSTOCK_PORT:-8443}:127.0.0.1" \
	"https://localhost:${PENSTOCK_PORT:-8443}/health" || exit 1
# Kore takes parent pid 1 for a dead parent, so tini comes first.
ENTRYPOINT ["tini", "--"]
CMD ["kore", "-fnrq", "-c", "/opt/penstock/penstock.conf"]

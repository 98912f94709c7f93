# syntax=docker/dockerfile:1
#
#   docker build -t landfall .
#   docker run --rm -p 8080:8080 -v landfall:/data -e LANDFALL_DATA_DIR=/data \
#     -v "$PWD/manifests:/app/manifests:ro" -e DOCKER_WEBHOOK_SECRET landfall webhook
#
# The image stands in for Argo CD Image Updater's: same entry point, user, working folder and tools, and nothing is written
# outside /tmp and the data folder, so that its root can be read-only.

FROM rust:1.95-slim-trixie AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# How functions are named for the linker, and how SQLite and the cryptography are compiled.
COPY .cargo .cargo
COPY crates crates
# The compiled dependencies stay in the builder's cache; only the binary goes into a layer.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked -p landfall --bin landfall \
    && cp target/dist/landfall /landfall

# The release of Debian that the binary was linked on.
FROM debian:trixie-slim
# git, ssh and gpg write commits back, and scripts for credentials may use them. tini passes signals on and reaps what they
# leave behind.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git gnupg gpg-agent openssh-client tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 landfall \
    && useradd --uid 1000 --gid 1000 --home-dir /app --no-create-home --shell /usr/sbin/nologin landfall \
    && install -d -o 1000 -g 1000 /app /app/config /app/config/gpg/keys /app/manifests /data \
    && chmod 0700 /app/config/gpg/keys \
    && ln -s /usr/bin/tini /sbin/tini
COPY --from=build /landfall /usr/local/bin/landfall
COPY LICENSE /usr/share/doc/landfall/LICENSE
# Called by one of the first two names, it is Image Updater's command line, and by the third, Kargo's.
RUN ln -s /usr/local/bin/landfall /manager \
    && ln -s /usr/local/bin/landfall /usr/local/bin/argocd-image-updater \
    && ln -s /usr/local/bin/landfall /usr/local/bin/kargo

# /tmp is the one place where Image Updater's own Deployment lets its container write. Whoever has a volume names it here,
# since what is below /tmp does not outlive the pod. The folder of manifests is empty until something is mounted there.
ENV LANDFALL_DATA_DIR=/tmp/landfall LANDFALL_MANIFESTS=/app/manifests
WORKDIR /app
USER 1000:1000
# The webhook door of `webhook`, probes, the webhook door of `run`, metrics.
EXPOSE 8080 8081 8082 8443
ENTRYPOINT ["/sbin/tini", "--", "/manager"]

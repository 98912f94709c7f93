#!/bin/sh
# Fills corpus/ with what the tests know: bodies of deliveries, inputs that were measured, and one of each kind of document.
set -eu
cd "$(dirname "$0")"

for folder in ../fixtures/receivers/*/; do
    sender=$(basename "$folder")
    target=$(echo "$sender" | tr - _)
    mkdir -p "corpus/$target"
    for delivery in "$folder"*.http; do
        # The body follows the first empty line.
        sed '1,/^\r$/d' "$delivery" >"corpus/$target/$(basename "$delivery" .http)"
    done
done
mkdir -p corpus/handshake
cp corpus/azure/event-grid-* corpus/handshake/

# Every text that a field of the measured inputs holds and that needs no unescaping, each with a line before or behind it.
seed() { # TARGET VECTORS FIELD BEFORE BEHIND
    mkdir -p "corpus/$1"
    number=0
    sed -n "s/^{\"$3\": *\"\([^\"\\\\]*\)\".*/\1/p" "../fixtures/vectors/$2.jsonl" | while IFS= read -r text; do
        number=$((number + 1))
        printf '%s%s%s' "$4" "$text" "$5" >"corpus/$1/$2-$number"
    done
}
line='
'
seed go_regexp go_regexp regex "" "${line}v1.2.3-rc.1"
seed semver semver_constraint constraint "" "${line}1.2.3-rc.1+b7"
seed repository kargo_urls in "" ""
seed expression expr in "$(tr -d '\n' <../fixtures/vectors/expr_body.json)$line" ""
seed go_template go_template template "" ""

mkdir -p corpus/entry_id corpus/manifest corpus/resource
printf '0123456789abc' >corpus/entry_id/an-id
printf '%s\n%s' application/vnd.oci.image.manifest.v1+json '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","size":7},"layers":[],"annotations":{"org.opencontainers.image.created":"2026-02-13T12:00:00Z"}}' >corpus/manifest/image
printf '%s\n%s' application/vnd.oci.image.index.v1+json '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","size":7,"platform":{"os":"linux","architecture":"arm","variant":"v7"},"annotations":{"a":"b"}}]}' >corpus/manifest/index
printf '\n%s' '{"architecture":"amd64","os":"linux","created":"2026-02-13T12:00:00.123456789Z"}' >corpus/manifest/configuration
resource() { # NAME JSON
    printf '%s' "$2" >"corpus/resource/$1"
}
resource warehouse '{"apiVersion":"kargo.akuity.io/v1alpha1","kind":"Warehouse","metadata":{"name":"w","namespace":"n","generation":3,"annotations":{"kargo.akuity.io/refresh":"x"}},"spec":{"interval":"5m0s","freightCreationPolicy":"Automatic","subscriptions":[{"image":{"repoURL":"example.com/a/b","constraint":"^1.2","imageSelectionStrategy":"SemVer","allowTags":"^v","ignoreTags":["x"],"platform":"linux/amd64","discoveryLimit":20,"strictSemvers":true,"cacheByTag":true}},{"git":{"repoURL":"https://example.com/a/b.git","commitSelectionStrategy":"NewestFromBranch","branch":"main","includePaths":["glob:a/**","regex:^b"],"excludePaths":["c"]}},{"chart":{"repoURL":"oci://example.com/charts/a","semverConstraint":">=1"}}]}}'
resource project '{"apiVersion":"kargo.akuity.io/v1alpha1","kind":"ProjectConfig","metadata":{"name":"n","namespace":"n"},"spec":{"webhookReceivers":[{"name":"a","dockerhub":{"secretRef":{"name":"s"}}}]}}'
resource secret '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"n","labels":{"kargo.akuity.io/cred-type":"image"}},"data":{"secret":"czNjcmV0"},"stringData":{"repoURL":"example.com"}}'
resource config-map '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"n"},"data":{"interval":"2m"}}'

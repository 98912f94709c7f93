//! Finds out of the host of a registry of ECR what its events say instead of it.

/// Account and region of `<account>.dkr.ecr.<region>.amazonaws.com`, or `….com.cn`.
pub(super) fn account_and_region(host: &str) -> Option<(&str, &str)> {
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let (region, domain) = rest.split_once('.')?;
    ["amazonaws.com", "amazonaws.com.cn"]
        .contains(&domain)
        .then_some((account, region))
}

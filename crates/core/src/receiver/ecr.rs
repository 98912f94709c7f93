//! Decides under which host a region's Elastic Container Registry is pulled from; it must not know events.
//! Names: <https://docs.aws.amazon.com/general/latest/gr/ecr.html>.

/// The host of an account's registry. `None` where account or region are none, and in partitions whose names are not public
/// knowledge: whoever runs there names the registry in the receiver's URL.
pub(super) fn host(region: &str, account: &str) -> Option<String> {
    let is_account = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_region = region.contains('-')
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let suffix = match region.split_once('-') {
        _ if !is_account || !is_region => return None,
        Some(("cn", _)) => "amazonaws.com.cn",
        Some((_, rest)) if rest.starts_with("iso") => return None,
        Some(("eusc", _)) => return None,
        _ => "amazonaws.com",
    };
    Some(format!("{account}.dkr.ecr.{region}.{suffix}"))
}

/// Region, account and repository of `arn:aws:ecr:<region>:<account>:repository/<name>`, which may begin with `urn`, and
/// be of another partition. What is missing is empty.
pub(super) fn resource(name: &str) -> Option<(&str, &str, &str)> {
    let mut parts = name.splitn(6, ':');
    let scheme = parts.next()?;
    let partition = parts.next()?;
    let service = parts.next()?;
    let is_partition = partition == "aws" || partition.starts_with("aws-");
    if !matches!(scheme, "arn" | "urn") || !is_partition || service != "ecr" {
        return None;
    }
    let (region, account) = (parts.next()?, parts.next()?);
    let repository = parts.next().and_then(|rest| rest.strip_prefix("repository/"));
    Some((region, account, repository.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_the_host_of_its_partition() {
        for (region, account, expected) in [
            (
                "eu-central-1",
                "123456789012",
                Some("123456789012.dkr.ecr.eu-central-1.amazonaws.com"),
            ),
            (
                "us-gov-west-1",
                "123456789012",
                Some("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com"),
            ),
            (
                "cn-north-1",
                "123456789012",
                Some("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"),
            ),
            ("us-iso-east-1", "123456789012", None),
            ("us-isob-east-1", "123456789012", None),
            ("eusc-de-east-1", "123456789012", None),
            ("", "123456789012", None),
            ("eu-central-1", "", None),
            ("eu-central-1", "acme", None),
            ("eu/central-1", "123456789012", None),
            ("eu", "123456789012", None),
        ] {
            assert_eq!(host(region, account).as_deref(), expected, "{region} {account}");
        }
    }

    #[test]
    fn resources_are_named_in_every_partition() {
        for (name, expected) in [
            (
                "urn:aws:ecr:eu-central-1:1:repository/shop/api",
                Some(("eu-central-1", "1", "shop/api")),
            ),
            (
                "arn:aws:ecr:eu-central-1:1:repository/shop/api",
                Some(("eu-central-1", "1", "shop/api")),
            ),
            ("arn:aws-cn:ecr:cn-north-1:1", Some(("cn-north-1", "1", ""))),
            (
                "arn:aws-us-gov:ecr:us-gov-west-1:1:repository/a:b",
                Some(("us-gov-west-1", "1", "a:b")),
            ),
            ("arn:aws:s3:eu-central-1:1:bucket", None),
            ("arn:awsome:ecr:eu-central-1:1", None),
            ("arn:aws:ecr:eu-central-1", None),
            ("https://registry.example.com", None),
            ("", None),
        ] {
            assert_eq!(resource(name), expected, "{name}");
        }
    }
}

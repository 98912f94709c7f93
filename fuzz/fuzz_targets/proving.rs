//! A request that proves itself to every receiver; part of other targets.
use landfall_core::delivery::Unverified;
use landfall_core::secret::SecretBytes;

pub const SECRET: &str = "s";

pub fn request(body: &[u8], header: &str, value: &str) -> Unverified {
    let signature = SecretBytes::from(SECRET).sign(body);
    let digits: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = [
        (header, value.to_owned()),
        ("authorization", SECRET.to_owned()),
        ("x-gitlab-token", SECRET.to_owned()),
        ("x-hub-signature", format!("sha256={digits}")),
        ("x-hub-signature-256", format!("sha256={digits}")),
        ("x-jfrog-event-auth", digits.clone()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes()));
    Unverified {
        headers: headers.into(),
        query: Vec::new(),
        body: body.to_vec(),
    }
}

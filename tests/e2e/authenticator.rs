//! What people have on their telephones: it shows the codes of a second factor.

use serde_json::json;
use totp_rs::Builder;

use crate::node::PASSWORD;
use crate::person::Person;

/// What an authenticator with this secret, in base32, shows now.
pub fn code(secret: &str) -> String {
    let secret: String = secret.split_whitespace().collect();
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    let now = poundlock::clock::now().as_second();
    totp.generate(u64::try_from(now).unwrap()).to_string()
}

/// Adds a second factor to somebody's account: their recovery codes.
pub fn add(person: &Person) -> Vec<String> {
    const PATH: &str = "/users/me/second-factor";
    let added = person.post(PATH, &json!({"password": PASSWORD}));
    let code = code(added["secret"].as_str().unwrap());
    let (status, codes) = person.attempt("PUT", PATH, &json!({"code": code})).unwrap();
    assert_eq!(status, 200, "{codes:#}");
    serde_json::from_value(codes["recovery_codes"].clone()).unwrap()
}

//! Identity tokens: signed by the provider, for us, for this sign-on, and not ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// How far the provider's clock may be off, seconds.
const LEEWAY_SECS: i64 = 60;
/// Longest subject; the specification's own bound.
const MAX_SUBJECT_BYTES: usize = 255;

/// The public keys of a provider.
#[derive(Debug, Deserialize)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

/// One of them; which members it has depends on its kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    n: String,
    e: String,
    crv: String,
    x: String,
    y: String,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

/// What a token must be for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now_secs: i64,
}

/// Who has signed on, as the provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The user's id at the provider, which never changes.
    pub(crate) subject: String,
    /// The e-mail address, if the provider has made sure of it.
    pub(crate) verified_email: Option<String>,
    /// How to address the user.
    pub(crate) first_name: String,
    /// The rest of the name.
    pub(crate) last_name: String,
}

/// Checks a token.
///
/// # Errors
/// What is wrong with it, for the log.
pub(super) fn verify(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Identity, &'static str> {
    let (signed, signature) = token.rsplit_once('.').ok_or("the identity token has no signature")?;
    let (header, claims) = signed.split_once('.').ok_or("the identity token has no claims")?;
    let header: Header = decoded_json(header).ok_or("the identity token's header cannot be read")?;
    let signature = decoded(signature).ok_or("the identity token's signature cannot be read")?;
    if !keys.have_signed(&header, signed.as_bytes(), &signature) {
        return Err("the identity token is not signed by a key of the provider");
    }
    let claims: Value = decoded_json(claims).ok_or("the identity token's claims cannot be read")?;
    check(&claims, expected)?;
    identity(&claims)
}

impl KeySet {
    /// Only a key of the right kind is tried, so that a token cannot choose to be checked by less.
    fn have_signed(&self, header: &Header, signed: &[u8], signature: &[u8]) -> bool {
        let kind = match header.alg.as_str() {
            "RS256" => "RSA",
            "ES256" => "EC",
            _ => return false,
        };
        let is_candidate = |key: &&Key| {
            key.kty == kind
                && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
                && (header.kid.is_none() || header.kid == key.kid)
        };
        self.keys.iter().filter(is_candidate).any(|key| key.has_signed(signed, signature).unwrap_or(false))
    }
}

impl Key {
    /// None when it is no key.
    fn has_signed(&self, signed: &[u8], signature: &[u8]) -> Option<bool> {
        if self.kty == "RSA" {
            let (n, e) = (decoded(&self.n)?, decoded(&self.e)?);
            let key = RsaPublicKeyComponents { n: &n, e: &e };
            return Some(key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok());
        }
        let (x, y) = (decoded(&self.x)?, decoded(&self.y)?);
        if self.crv != "P-256" || x.len() != 32 || y.len() != 32 {
            return None;
        }
        let point = [&[4][..], &x, &y].concat();
        Some(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok())
    }
}

fn check(claims: &Value, expected: &Expected<'_>) -> Result<(), &'static str> {
    if claims["iss"] != expected.issuer {
        return Err("the identity token is of another issuer");
    }
    let is_for_us = match &claims["aud"] {
        Value::String(audience) => audience == expected.client_id,
        Value::Array(audiences) => {
            let is_among = audiences.iter().any(|audience| audience == expected.client_id);
            is_among && (audiences.len() == 1 || claims["azp"] == expected.client_id)
        }
        _ => false,
    };
    if !is_for_us {
        return Err("the identity token is for another client");
    }
    let seconds =
        |name: &str| claims[name].as_i64().or_else(|| claims[name].as_f64().map(|secs| secs as i64));
    let ends = seconds("exp").ok_or("the identity token has no end")?;
    if expected.now_secs >= ends.saturating_add(LEEWAY_SECS) {
        return Err("the identity token has ended");
    }
    if seconds("nbf").is_some_and(|begins| expected.now_secs < begins.saturating_sub(LEEWAY_SECS)) {
        return Err("the identity token is not valid yet");
    }
    if claims["nonce"] != expected.nonce {
        return Err("the identity token is of another sign-on");
    }
    Ok(())
}

fn identity(claims: &Value) -> Result<Identity, &'static str> {
    let text = |name: &str| {
        let text = claims[name].as_str().unwrap_or_default().trim();
        // No database takes it in a text.
        text.replace('\0', "")
    };
    let subject = text("sub");
    if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES {
        return Err("the identity token has no subject");
    }
    let is_verified = claims["email_verified"] == true || claims["email_verified"] == "true";
    let first_name = match text("given_name") {
        name if name.is_empty() => text("name"),
        name => name,
    };
    Ok(Identity {
        subject,
        verified_email: Some(text("email")).filter(|email| is_verified && !email.is_empty()),
        first_name,
        last_name: text("family_name"),
    })
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn decoded_json<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&decoded(text)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected<'_> =
        Expected { issuer: "https://idp", client_id: "us", nonce: "n", now_secs: 1_000 };

    fn claims() -> Value {
        json!({ "iss": "https://idp", "aud": "us", "exp": 1_100, "nonce": "n", "sub": "s1", "email": " a@b ",
                "email_verified": true, "name": "Ann Lee" })
    }

    #[test]
    fn claims_are_for_us_and_now() {
        assert_eq!(check(&claims(), &EXPECTED), Ok(()));
        for (name, value, expected) in [
            ("iss", json!("https://other"), "the identity token is of another issuer"),
            ("aud", json!("them"), "the identity token is for another client"),
            ("aud", json!(["us", "them"]), "the identity token is for another client"),
            ("aud", Value::Null, "the identity token is for another client"),
            ("exp", json!(940), "the identity token has ended"),
            ("exp", Value::Null, "the identity token has no end"),
            ("nbf", json!(1_061), "the identity token is not valid yet"),
            ("nonce", json!("m"), "the identity token is of another sign-on"),
            ("nonce", Value::Null, "the identity token is of another sign-on"),
        ] {
            let mut claims = claims();
            claims[name] = value;
            assert_eq!(check(&claims, &EXPECTED), Err(expected), "{claims}");
        }
        let mut several = claims();
        several["aud"] = json!(["us", "them"]);
        several["azp"] = json!("us");
        assert_eq!(check(&several, &EXPECTED), Ok(()));
    }

    #[test]
    fn an_address_counts_when_the_provider_has_made_sure_of_it() {
        let of = identity(&claims()).unwrap();
        assert_eq!((of.verified_email.as_deref(), of.first_name.as_str()), (Some("a@b"), "Ann Lee"));
        for verified in [json!(false), Value::Null, json!("false"), json!(1)] {
            let mut claims = claims();
            claims["email_verified"] = verified;
            assert_eq!(identity(&claims).unwrap().verified_email, None);
        }
        let mut nobody = claims();
        nobody["sub"] = json!("");
        assert!(identity(&nobody).is_err());
    }

    /// The example of RFC 7515, appendix A.2.
    #[test]
    fn the_rfcs_example_of_rs256_is_signed_by_its_key() {
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-\
                 yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-\
                 KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_\
                 h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let signed = "eyJhbGciOiJSUzI1NiJ9.\
                      eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5\
                         jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb\
                         1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO\
                         YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let keys = |n: &str, kty: &str| KeySet {
            keys: vec![Key { kty: kty.to_owned(), n: n.to_owned(), e: "AQAB".to_owned(), ..Key::default() }],
        };
        let header =
            |alg: &str, kid: Option<&str>| Header { alg: alg.to_owned(), kid: kid.map(str::to_owned) };
        let signature = decoded(signature).unwrap();
        let right = |keys: &KeySet, header: &Header, signed: &str| {
            keys.have_signed(header, signed.as_bytes(), &signature)
        };
        assert!(right(&keys(n, "RSA"), &header("RS256", None), signed));
        assert!(!right(&keys(n, "RSA"), &header("RS256", None), &signed.replace("eyJp", "eyJq")));
        assert!(!right(&keys(n, "RSA"), &header("none", None), signed));
        assert!(!right(&keys(n, "RSA"), &header("ES256", None), signed));
        assert!(!right(&keys(n, "RSA"), &header("RS256", Some("other")), signed));
        assert!(!right(&keys(&n.replace("ofgW", "ofgX"), "RSA"), &header("RS256", None), signed));
    }

    #[test]
    fn what_is_no_token_is_an_error() {
        let keys = KeySet { keys: Vec::new() };
        for token in ["", "a", "a.b", "a.b.c", "..", "e30.e30.", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(verify(token, &keys, &EXPECTED).is_err(), "{token}");
        }
    }
}

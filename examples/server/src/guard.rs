//! Who may ask: keys, the names that this server is called by, and the pages that may use it.
//!
//! A page of another site can make a browser send requests to the local machine. Three things stop it:
//! bodies must say that they are JSON (`api`), which no page may send elsewhere unasked; the header
//! `Origin` must be this server's own; and `Host` must be a name of this server, for a site can have its
//! name lead here (DNS rebinding).

use crate::{error::ApiError, options::Options, page, rates::Rates, serve::Peer, service::Service};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// Lets a request through, or says why not.
pub(crate) async fn check(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let options = service.options();
    let refused = host_is_ours(&options, &request)
        .and_then(|()| origin_is_allowed(&options, request.headers()))
        .and_then(|()| key_is_known(&options, service.rates(), &request));
    match refused {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A name without its port.
fn name(authority: &str) -> Option<String> {
    let authority: axum::http::uri::Authority = authority.parse().ok()?;
    Some(authority.host().trim_matches(['[', ']']).to_lowercase())
}

fn host_is_ours(options: &Options, request: &Request) -> Result<(), ApiError> {
    let host =
        text(request.headers(), &header::HOST).or(request.uri().authority().map(|a| a.as_str()));
    // HTTP/1.0 has none, and no browser speaks it.
    let Some(host) = host else { return Ok(()) };
    let known = name(host).is_some_and(|name| {
        name == "localhost"
            || name.ends_with(".localhost")
            // A site's name leads elsewhere; a number leads where it says.
            || name.parse::<IpAddr>().is_ok()
            || options.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name))
    });
    if known {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "host_not_allowed",
        format!("this server is not known as {host}"),
    )
    .advise("start it with --allowed-hosts NAME"))
}

fn origin_is_allowed(options: &Options, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = text(headers, &header::ORIGIN) else { return Ok(()) };
    let own = origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    if own.is_some() && own.as_deref() == text(headers, &header::HOST) {
        return Ok(());
    }
    if options.allows_origin(origin) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "origin_not_allowed",
        format!("pages of {origin} may not use this server"),
    )
    .advise("start it with --cors-allow-origins ORIGIN"))
}

/// The key of a request: a bearer's, in `X-API-Key`, or the password of basic authentication.
pub(crate) fn key(headers: &HeaderMap) -> Option<Vec<u8>> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes().to_vec());
    }
    let (scheme, value) = text(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().as_bytes().to_vec());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = BASE64_STANDARD.decode(value.trim()).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        return pair.get(colon + 1..).map(<[u8]>::to_vec);
    }
    None
}

fn key_is_known(options: &Options, rates: &Rates, request: &Request) -> Result<(), ApiError> {
    // Browsers ask before they send the key.
    let open = options.api_keys.is_empty()
        || request.method() == Method::OPTIONS
        || request.uri().path() == "/health"
        || page::is_page(request.uri().path());
    if open {
        return Ok(());
    }
    if let Some(given) = key(request.headers()) {
        let peer = request.extensions().get::<Peer>();
        rates.may_show_key(peer)?;
        // All are compared, each in a time that does not tell where it differs.
        let known = options
            .api_keys
            .iter()
            .fold(subtle::Choice::from(0), |known, key| known | key.as_bytes().ct_eq(&given));
        if bool::from(known) {
            return Ok(());
        }
        rates.wrong_key(peer);
    }
    Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "a key is needed, or it is wrong")
        .advise("send it as Authorization: Bearer KEY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().uri("/sdapi/v1/txt2img").method("POST");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(axum::body::Body::empty()).unwrap()
    }

    #[test]
    fn names_of_other_sites_are_refused() {
        let mut options = Options::default();
        for host in
            ["localhost:7860", "127.0.0.1", "[::1]:7860", "192.168.0.7:7860", "app.localhost"]
        {
            assert!(host_is_ours(&options, &request(&[("host", host)])).is_ok(), "{host}");
        }
        let site = request(&[("host", "evil.example:7860")]);
        assert_eq!(host_is_ours(&options, &site).unwrap_err().status, StatusCode::FORBIDDEN);
        options.allowed_hosts = vec!["evil.example".into()];
        assert!(host_is_ours(&options, &site).is_ok());
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let mut options = Options::default();
        let own = [("host", "127.0.0.1:7860"), ("origin", "http://127.0.0.1:7860")];
        let other = [("host", "127.0.0.1:7860"), ("origin", "https://evil.example")];
        assert!(origin_is_allowed(&options, request(&own).headers()).is_ok());
        assert!(origin_is_allowed(&options, request(&[]).headers()).is_ok());
        for origin in ["null", "https://evil.example", "http://127.0.0.1:7861", ""] {
            let request = request(&[("host", "127.0.0.1:7860"), ("origin", origin)]);
            assert!(origin_is_allowed(&options, request.headers()).is_err(), "{origin}");
        }
        options.cors_allow_origins = vec!["https://evil.example".into()];
        assert!(origin_is_allowed(&options, request(&other).headers()).is_ok());
    }

    #[test]
    fn who_guesses_is_not_let_in_with_the_right_key_either() {
        let options = Options { api_keys: vec!["secret".into()], ..Options::default() };
        let rates = Rates::new(&options);
        let with = |key: &str, peer: &str| {
            let mut request = request(&[("x-api-key", key)]);
            request.extensions_mut().insert(Peer(peer.parse().unwrap()));
            key_is_known(&options, &rates, &request).map_err(|error| error.status.as_u16())
        };
        assert_eq!((with("secret", "192.0.2.1"), with("wrong", "192.0.2.1")), (Ok(()), Err(401)));
        for n in 0..20 {
            let _counted = with(&n.to_string(), "192.0.2.1");
        }
        assert_eq!(with("secret", "192.0.2.1"), Err(429), "or a guess would be told as right");
        assert_eq!(with("secret", "192.0.2.2"), Ok(()), "another address");
        for n in 0..20 {
            assert_eq!(with(&n.to_string(), "127.0.0.1"), Err(401));
        }
        assert_eq!(with("secret", "127.0.0.1"), Ok(()), "the machine's own users share it");
    }

    #[test]
    fn a_key_is_asked_for_where_there_is_one() {
        let options =
            Options { api_keys: vec!["secret".into(), "other".into()], ..Options::default() };
        let rates = Rates::new(&options);
        let with = |name, value| key_is_known(&options, &rates, &request(&[(name, value)]));
        assert!(with("authorization", "Bearer secret").is_ok());
        assert!(with("x-api-key", "other").is_ok());
        let basic = format!("Basic {}", BASE64_STANDARD.encode("user:secret"));
        assert!(with("authorization", &basic).is_ok());
        for wrong in ["Bearer secre", "Bearer secrets", "Bearer", "Basic %%%", "secret", ""] {
            assert_eq!(with("authorization", wrong).unwrap_err().status, StatusCode::UNAUTHORIZED);
        }
        assert!(key_is_known(&Options::default(), &rates, &request(&[])).is_ok());
    }
}

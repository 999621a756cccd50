//! How often a client may ask for pictures, and how often it may guess at a key.
//!
//! Clients are known by a number that is made of their key or address and of a secret that ends with the
//! process: neither is kept here.

use crate::{error::ApiError, guard, options::Options, serve::Peer, service::Service};
use axum::{
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Clients that are told apart; further addresses share one allowance.
const CLIENTS: usize = 16_384;
/// The number of those that share one.
const OTHERS: u64 = 0;
/// Wrong keys that an address may show at once, and then in a minute.
const GUESSES: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// Limits a client each.
struct Limiter {
    quota: Quota,
    clients: DefaultKeyedRateLimiter<u64>,
}

impl Limiter {
    fn new(quota: Quota) -> Self {
        Self { quota, clients: RateLimiter::keyed(quota) }
    }

    /// Counts one; how long to wait where that was one too many.
    fn count(&self, client: u64) -> Result<(), Duration> {
        let mut client = client;
        if self.clients.len() >= CLIENTS {
            self.clients.retain_recent();
            self.clients.shrink_to_fit();
            if self.clients.len() >= CLIENTS {
                client = OTHERS;
            }
        }
        let wait = self.clients.check_key(&client).err();
        wait.map_or(Ok(()), |until| Err(until.wait_time_from(DefaultClock::default().now())))
    }
}

/// What clients have used of what they may.
pub(crate) struct Rates {
    secret: RandomState,
    draws: RwLock<Option<Limiter>>,
    guesses: Limiter,
    /// Addresses that guessed too often, and when they may ask again.
    shut_out: Mutex<HashMap<u64, Instant>>,
    refused: AtomicU64,
    wrong_keys: AtomicU64,
}

impl Rates {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            secret: RandomState::new(),
            draws: RwLock::new(quota(options).map(Limiter::new)),
            guesses: Limiter::new(Quota::per_minute(GUESSES)),
            shut_out: Mutex::default(),
            refused: AtomicU64::new(0),
            wrong_keys: AtomicU64::new(0),
        }
    }

    /// Limits by these options. What was used is forgotten if the limit is another.
    pub(crate) fn set(&self, options: &Options) {
        let quota = quota(options);
        let mut draws = self.draws.write().unwrap_or_else(PoisonError::into_inner);
        if draws.as_ref().map(|limiter| limiter.quota) != quota {
            *draws = quota.map(Limiter::new);
        }
    }

    /// Requests that were refused, ever.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Wrong keys, ever.
    pub(crate) fn wrong_keys(&self) -> u64 {
        self.wrong_keys.load(Ordering::Relaxed)
    }

    fn client(&self, who: &[u8]) -> u64 {
        self.secret.hash_one(who)
    }

    /// A network of IPv6 has as many addresses as it likes.
    fn address(&self, peer: IpAddr) -> u64 {
        match peer {
            IpAddr::V4(address) => self.client(&address.octets()),
            IpAddr::V6(address) => self.client(&address.octets()[..8]),
        }
    }

    /// Counts a request that draws.
    ///
    /// # Errors
    /// It is one too many.
    fn draw(&self, key: Option<&[u8]>, peer: Option<IpAddr>) -> Result<(), ApiError> {
        let draws = self.draws.read().unwrap_or_else(PoisonError::into_inner);
        let Some(limiter) = draws.as_ref() else { return Ok(()) };
        let client = match (key, peer) {
            (Some(key), _) => self.client(key),
            (None, Some(peer)) => self.address(peer),
            (None, None) => OTHERS,
        };
        limiter.count(client).map_err(|wait| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let often = 60.0 / limiter.quota.replenish_interval().as_secs_f64();
            limited(format!("too many requests: {often:.0} a minute may draw"), wait)
        })
    }

    /// Whether an address may show a key. The machine's own may always: its users share it, and so does
    /// who comes by a proxy.
    ///
    /// # Errors
    /// It showed wrong ones too often.
    pub(crate) fn may_show_key(&self, peer: Option<&Peer>) -> Result<(), ApiError> {
        let Some(Peer(peer)) = peer else { return Ok(()) };
        let now = Instant::now();
        let shut_out = self.shut_out.lock().unwrap_or_else(PoisonError::into_inner);
        let until = shut_out.get(&self.address(*peer)).filter(|until| **until > now);
        until.map_or(Ok(()), |until| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Err(limited("too many wrong keys came from this address".to_owned(), *until - now))
        })
    }

    /// Counts a wrong key.
    pub(crate) fn wrong_key(&self, peer: Option<&Peer>) {
        self.wrong_keys.fetch_add(1, Ordering::Relaxed);
        let Some(Peer(peer)) = peer else { return };
        if peer.is_loopback() {
            return;
        }
        let address = self.address(*peer);
        if let Err(wait) = self.guesses.count(address) {
            tracing::warn!(%peer, "shut out for {wait:?}, after too many wrong keys");
            let now = Instant::now();
            let mut shut_out = self.shut_out.lock().unwrap_or_else(PoisonError::into_inner);
            if shut_out.len() >= CLIENTS {
                shut_out.retain(|_, until| *until > now);
            }
            if shut_out.len() < CLIENTS {
                shut_out.insert(address, now + wait);
            }
        }
    }
}

fn quota(options: &Options) -> Option<Quota> {
    let often = NonZeroU32::new(options.rate_limit.unwrap_or(0))?;
    Some(Quota::per_minute(often).allow_burst(options.rate_burst.unwrap_or(often)))
}

fn limited(message: String, wait: Duration) -> ApiError {
    // Whole seconds, and not one too early.
    let wait = Duration::from_secs(wait.as_secs() + 1);
    let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message)
        .advise(format!("ask again in {} s", wait.as_secs()));
    error.retry_after = Some(wait);
    error
}

/// Whether a request draws, or computes as long.
pub(crate) fn draws(method: &Method, path: &str) -> bool {
    const ROUTES: [&str; 6] = [
        "/api/v1/jobs",
        "/api/v1/upscale",
        "/sdapi/v1/txt2img",
        "/sdapi/v1/img2img",
        "/image",
        "/generate",
    ];
    const FAMILIES: [&str; 2] = ["/sdapi/v1/extra-", "/v1/images/"];
    method == Method::POST
        && (ROUTES.contains(&path) || FAMILIES.iter().any(|family| path.starts_with(family)))
}

/// Refuses a request that draws where its client asked for too many.
pub(crate) async fn check(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    if draws(request.method(), request.uri().path()) {
        let options = service.options();
        let key = guard::key(request.headers()).filter(|_| !options.api_keys.is_empty());
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        if let Err(error) = service.rates().draw(key.as_deref(), peer) {
            return error.into_response();
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(limit: u32, burst: u32) -> Rates {
        let rate_burst = NonZeroU32::new(burst);
        Rates::new(&Options { rate_limit: Some(limit), rate_burst, ..Options::default() })
    }

    #[test]
    fn each_client_has_its_own() {
        let rates = rates(60, 2);
        let (one, two) = (Some(&b"one"[..]), Some(&b"two"[..]));
        let peer = Some("192.0.2.1".parse().unwrap());
        assert!(rates.draw(one, peer).is_ok() && rates.draw(one, peer).is_ok());
        let error = rates.draw(one, peer).unwrap_err();
        assert_eq!((error.status.as_u16(), error.code.as_ref()), (429, "rate_limited"));
        assert_eq!(error.retry_after, Some(Duration::from_secs(1)));
        assert!(error.message.contains("60 a minute"), "{}", error.message);
        assert!(rates.draw(two, peer).is_ok(), "another key");
        assert!(rates.draw(None, peer).is_ok(), "an address");
        assert_eq!(rates.refused(), 1);
        std::thread::sleep(Duration::from_millis(1100));
        assert!(rates.draw(one, peer).is_ok(), "a second later");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let rates = rates(1, 1);
        let from = |address: &str| rates.draw(None, Some(address.parse().unwrap())).is_ok();
        assert!(from("2001:db8::1") && !from("2001:db8::2") && from("2001:db8:0:1::1"));
        assert!(from("192.0.2.1") && from("192.0.2.2"));
    }

    #[test]
    fn without_a_limit_nothing_is_counted_and_a_new_one_counts_anew() {
        let rates = rates(0, 1);
        assert!((0..1000).all(|_| rates.draw(None, None).is_ok()));
        let one = Options { rate_limit: Some(1), ..Options::default() };
        rates.set(&one);
        assert!(rates.draw(None, None).is_ok() && rates.draw(None, None).is_err());
        rates.set(&one);
        assert!(rates.draw(None, None).is_err(), "the same limit goes on");
        rates.set(&Options::default());
        assert!(rates.draw(None, None).is_ok());
    }

    #[test]
    fn so_many_clients_are_kept_and_no_more() {
        let rates = rates(1, 1);
        let from = |n: usize| {
            let address = std::net::Ipv4Addr::from(u32::try_from(n).unwrap());
            rates.draw(None, Some(address.into())).is_ok()
        };
        assert!((0..CLIENTS).all(from));
        assert!(from(CLIENTS), "the first of the others");
        assert!(!from(CLIENTS + 1), "which share one allowance");
        let draws = rates.draws.read().unwrap();
        assert!(draws.as_ref().unwrap().clients.len() <= CLIENTS + 1);
    }

    #[test]
    fn who_guesses_is_shut_out_for_a_while() {
        let rates = rates(0, 1);
        let (guesser, other) =
            (Peer("192.0.2.1".parse().unwrap()), Peer("192.0.2.2".parse().unwrap()));
        for _ in 0..=GUESSES.get() {
            assert!(rates.may_show_key(Some(&guesser)).is_ok());
            rates.wrong_key(Some(&guesser));
        }
        assert_eq!(rates.may_show_key(Some(&guesser)).unwrap_err().code, "rate_limited");
        assert!(rates.may_show_key(Some(&other)).is_ok());
        let own = Peer("127.0.0.1".parse().unwrap());
        (0..100).for_each(|_| rates.wrong_key(Some(&own)));
        assert!(rates.may_show_key(Some(&own)).is_ok());
        assert_eq!(rates.wrong_keys(), u64::from(GUESSES.get()) + 101);
    }

    /// What the document says may find the queue full.
    #[test]
    fn every_route_that_draws_is_limited() {
        let options = Options { mock: Some(true), ..Options::default() };
        let (_, document) = crate::api::router(Service::start(options).unwrap());
        let document = serde_json::to_value(document).unwrap();
        let mut limited = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            let may_be_full = methods["post"]["responses"]["429"].is_object();
            assert_eq!(draws(&Method::POST, path), may_be_full, "{path}");
            limited += u32::from(may_be_full);
        }
        assert!(limited >= 7, "{limited}");
    }

    #[test]
    fn what_draws_is_known() {
        for path in ["/api/v1/jobs", "/sdapi/v1/txt2img", "/v1/images/edits", "/generate"] {
            assert!(draws(&Method::POST, path) && !draws(&Method::GET, path), "{path}");
        }
        assert!(!draws(&Method::POST, "/sdapi/v1/interrupt"));
    }
}

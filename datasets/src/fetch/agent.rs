//! The HTTP client, as the options want it.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use super::transfer::Stop;
use super::{Certificates, FetchOptions, Problem};
use crate::Error;

/// A client for an address.
pub(super) fn agent(url: &str, options: &FetchOptions) -> Result<Agent, Stop> {
    let tls = tls(&options.certificates)?;
    let is_https = url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
    if is_https && tls.is_none() {
        return Err(Stop::Problem(Problem::NoCryptography));
    }

    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("aais-datasets/", env!("CARGO_PKG_VERSION")))
        // The bytes as they are published: a checksum knows no other ones.
        .accept_encoding("identity")
        // Each request has its own connection: a server may close one that is kept at the moment it is asked again.
        .max_idle_connections(0)
        // Without cryptography a redirect could lead where it is needed.
        .max_redirects(if tls.is_some() { options.redirects } else { 0 })
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        .timeout_recv_response(Some(options.stall_timeout))
        .timeout_per_read(Some(options.stall_timeout))
        .timeout_per_write(Some(options.stall_timeout))
        // Given even if there is none, or the client would look in the environment.
        .proxy(options.proxies.of(url).map(proxy).transpose()?);
    Ok(match tls {
        Some(tls) => config.tls_config(tls).build().into(),
        None => config.build().into(),
    })
}

fn proxy(proxy: &str) -> Result<Proxy, Error> {
    // Before the `@` stands a password.
    let shown = proxy.rsplit('@').next().unwrap_or(proxy);
    let unusable = |reason: String| Error::Connection { what: format!("proxy {shown}"), reason };
    let is_http = !proxy.contains("://") || proxy.to_lowercase().starts_with("http");
    if !is_http {
        return Err(unusable("expected one that begins with http: or https:".to_owned()));
    }
    Proxy::new(proxy).map_err(|error| unusable(error.to_string()))
}

/// How https is spoken, where it can be.
fn tls(certificates: &Certificates) -> Result<Option<TlsConfig>, Error> {
    let roots = match certificates {
        Certificates::BuiltIn => RootCerts::WebPki,
        Certificates::Pem(pem) => RootCerts::new_with_certs(&trusted(pem)?),
    };
    Ok(with_cryptography(roots))
}

fn trusted(pem: &[u8]) -> Result<Vec<Certificate<'static>>, Error> {
    let unusable = |reason: String| Error::Connection { what: "certificates".to_owned(), reason };
    let mut trusted = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| unusable(error.to_string()))? {
            trusted.push(certificate);
        }
    }
    match trusted.is_empty() {
        true => Err(unusable("expected certificates in PEM form, found none".to_owned())),
        false => Ok(trusted),
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn with_cryptography(roots: RootCerts) -> Option<TlsConfig> {
    is_fit_for_graviola().then(|| {
        let cryptography = Arc::new(rustls_graviola::default_provider());
        TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(cryptography).build()
    })
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn with_cryptography(_: RootCerts) -> Option<TlsConfig> {
    None
}

/// Graviola ends the process on a processor without these, which most have had since about 2014.
#[cfg(target_arch = "x86_64")]
fn is_fit_for_graviola() -> bool {
    is_x86_feature_detected!("adx")
        && is_x86_feature_detected!("aes")
        && is_x86_feature_detected!("avx")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn is_fit_for_graviola() -> bool {
    use std::arch::is_aarch64_feature_detected;

    is_aarch64_feature_detected!("aes")
        && is_aarch64_feature_detected!("neon")
        && is_aarch64_feature_detected!("pmull")
        && is_aarch64_feature_detected!("sha2")
}

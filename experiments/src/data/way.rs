//! The way to the network that the environment names.

use aais_datasets::{Certificates, Proxies};
use anyhow::{Context, Result};

/// Proxies from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not.
pub(super) fn proxies() -> Proxies {
    proxies_from(|name| std::env::var(name).ok())
}

fn proxies_from(variable: impl Fn(&str) -> Option<String>) -> Proxies {
    let either = |name: &str| {
        let values = [name.to_lowercase(), name.to_owned()].map(|name| variable(&name));
        values.into_iter().flatten().find(|value| !value.trim().is_empty())
    };
    let of = |name| either(name).or_else(|| either("ALL_PROXY"));
    let except = either("NO_PROXY").unwrap_or_default();
    let except = except.split(',').map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
    Proxies { http: of("HTTP_PROXY"), https: of("HTTPS_PROXY"), except: except.collect() }
}

/// Certificates from the file that `SSL_CERT_FILE` names, as OpenSSL has it; else those that are built in.
pub(super) fn certificates() -> Result<Certificates> {
    match std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        Some(path) => {
            let pem = std::fs::read(&path);
            pem.map(Certificates::Pem).with_context(|| format!("reading SSL_CERT_FILE {}", path.display()))
        }
        None => Ok(Certificates::BuiltIn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        proxies_from(|name| value(name).map(str::to_owned))
    }

    #[test]
    fn each_scheme_has_a_proxy_or_that_for_all() {
        let found = proxies(&[("https_proxy", "http://s"), ("HTTPS_PROXY", "http://t"), ("ALL_PROXY", "http://a")]);
        assert_eq!((found.http.as_deref(), found.https.as_deref()), (Some("http://a"), Some("http://s")));
        assert_eq!(proxies(&[("HTTP_PROXY", " ")]), Proxies::default());
    }

    #[test]
    fn exceptions_stand_between_commas() {
        assert_eq!(proxies(&[("NO_PROXY", "localhost, .lab.example,")]).except, ["localhost", ".lab.example"]);
    }
}

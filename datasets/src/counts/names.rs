//! Names that must differ.

use std::collections::HashMap;

use super::Place;
use crate::{Error, Result};

/// Names seen so far, each with its place.
pub(crate) struct Names {
    what: &'static str,
    places: HashMap<String, Place>,
}

impl Names {
    /// Of `what`, in the singular.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, places: HashMap::new() }
    }

    /// Takes one more name.
    ///
    /// # Errors
    /// A name that is there already, or none.
    pub(crate) fn add(&mut self, name: &str, place: &Place) -> Result<()> {
        if name.is_empty() {
            let expected = format!("the name of a {}", self.what);
            return Err(place.malformed(&expected, "nothing"));
        }
        match self.places.insert(name.to_owned(), place.clone()) {
            None => Ok(()),
            Some(first) => {
                let (name, first) = (name.to_owned(), Box::new(first));
                Err(Error::Duplicate { place: place.clone(), what: self.what, name, first })
            }
        }
    }
}

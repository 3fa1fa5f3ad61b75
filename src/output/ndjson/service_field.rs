//! The `service` of a port line: the registered name of the port, or what was found out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::service::Service;

/// What is known of a port's service. In JSON a name or `null`, and an object where the port was
/// talked to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceField<'a> {
    /// The name that the port is registered for.
    pub registered: Option<Cow<'a, str>>,
    /// What answers there.
    pub found: Option<Arc<Service>>,
}

/// The object.
#[derive(Serialize, Deserialize)]
struct Object<'a, S> {
    #[serde(default)]
    registered: Option<Cow<'a, str>>,
    #[serde(flatten)]
    found: S,
}

impl ServiceField<'_> {
    /// What answers there, or the registered name, with `?` where somebody asked and was told nothing.
    pub fn label(&self) -> Option<Cow<'_, str>> {
        let registered = self.registered.as_deref();
        match &self.found {
            None => registered.map(Cow::from),
            Some(found) => match found.label() {
                Some(label) => Some(label.into()),
                None => registered.map(|name| format!("{name}?").into()),
            },
        }
    }
}

impl<'a, N: Into<Cow<'a, str>>> From<Option<N>> for ServiceField<'a> {
    fn from(registered: Option<N>) -> ServiceField<'a> {
        ServiceField {
            registered: registered.map(Into::into),
            found: None,
        }
    }
}

impl Serialize for ServiceField<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.found {
            None => self.registered.serialize(serializer),
            Some(found) => Object {
                registered: self.registered.as_deref().map(Cow::from),
                found: &**found,
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ServiceField<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = ServiceField<'static>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a service: a name, an object or null")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(ServiceField::default())
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Some(name.to_string()).into())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let object = Object::<Service>::deserialize(MapAccessDeserializer::new(map))?;
                let registered = object.registered.map(|name| name.into_owned().into());
                Ok(ServiceField {
                    registered,
                    found: Some(object.found.into()),
                })
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_known_is_written_and_read() {
        let found = Service {
            name: Some("ssh".into()),
            product: Some("OpenSSH".into()),
            ..Service::default()
        };
        let object = ServiceField {
            registered: Some("http-alt".into()),
            found: Some(found.into()),
        };
        for (field, start) in [
            (ServiceField::default(), "null"),
            (Some("ssh").into(), r#""ssh""#),
            (
                object.clone(),
                r#"{"registered":"http-alt","name":"ssh","product":"OpenSSH","version":null,"#,
            ),
        ] {
            let json = serde_json::to_string(&field).expect("JSON");
            assert!(json.starts_with(start), "{json}");
            let read: ServiceField = serde_json::from_str(&json).expect("a service");
            assert_eq!(read, field);
        }
        assert_eq!(object.label().as_deref(), Some("ssh"));
        for wrong in ["1", "[]", r#"{"name":1}"#, r#"{"manner":"loud"}"#] {
            assert!(
                serde_json::from_str::<ServiceField>(wrong).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_was_asked_in_vain_is_in_doubt() {
        let mut field = ServiceField::from(Some("http-alt"));
        assert_eq!(field.label().as_deref(), Some("http-alt"));
        field.found = Some(Arc::default());
        assert_eq!(field.label().as_deref(), Some("http-alt?"));
        field.registered = None;
        assert_eq!(field.label(), None);
    }
}

//! `serde`'s traits for types that are more than their fields.

use std::net::SocketAddr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{FlowKey, Tenant, Timeout};

impl Serialize for FlowKey {
    /// As the key's text in formats for people, as JSON; else as source, destination, protocol and tenant.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.source(), self.destination(), self.protocol(), self.tenant()).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for FlowKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer)?.parse().map_err(D::Error::custom);
        }
        let (source, destination, protocol, tenant) =
            <(SocketAddr, SocketAddr, u8, Tenant)>::deserialize(deserializer)?;
        Self::new(source, destination, protocol).map(|key| key.with_tenant(tenant)).map_err(D::Error::custom)
    }
}

impl Serialize for Tenant {
    /// As the id.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = u32::deserialize(deserializer)?;
        Self::new(id).ok_or_else(|| D::Error::custom(format_args!("tenant {id}: at most {}", Self::MAX.get())))
    }
}

impl Serialize for Timeout {
    /// As nanoseconds; the largest number means never.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_nanos().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanos = u64::deserialize(deserializer)?;
        Ok(std::time::Duration::from_nanos(nanos).into())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::time::Duration;

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::{Direction, EndReason, FinalRecord, OnExpiry, ReapReport, Stats, Status, Timestamp};

    /// There and back, in a format for people and one for machines.
    fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, json: &str) {
        assert_eq!(serde_json::to_string(value).unwrap(), json);
        assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
        let bytes = postcard::to_allocvec(value).unwrap();
        assert_eq!(&postcard::from_bytes::<T>(&bytes).unwrap(), value);
    }

    #[test]
    fn values_come_back() {
        for key in ["udp 10.0.0.1:5353 > 10.0.0.2:53 @7", "tcp [2001:db8::1]:1 > [2001:db8::2]:443"] {
            there_and_back(&key.parse::<FlowKey>().unwrap(), &format!("{key:?}"));
        }
        there_and_back(&Tenant::MAX, "16777215");
        there_and_back(&Timestamp::from_secs(1), "1000000000");
        there_and_back(&Timeout::from(Duration::from_millis(5)), "5000000");
        there_and_back(&Timeout::NEVER, "18446744073709551615");
        there_and_back(&Direction::Reply, "\"reply\"");
        there_and_back(&(Status::Active, EndReason::Cancelled), "[\"active\",\"cancelled\"]");
        there_and_back(&OnExpiry::KeepWhileReferenced, "\"keep_while_referenced\"");
        there_and_back(
            &ReapReport { expired: 1, ..ReapReport::default() },
            r#"{"expired":1,"cancelled":0,"rescheduled":0,"more":false}"#,
        );
        let keys = (1u8, Some(2u8));
        there_and_back(
            &FinalRecord::new(keys, 3u8, Status::Expired, Timestamp::from_nanos(4), Duration::from_secs(5)),
            r#"{"key":1,"reply_key":2,"value":3,"reason":"expired","deadline":4,"timeout":{"secs":5,"nanos":0}}"#,
        );
        let mut stats = Stats::new();
        (stats.inserts, stats.ended.expired) = (3, 2);
        there_and_back(&stats, &serde_json::to_string(&stats).unwrap());
        assert_eq!(serde_json::from_str::<Stats>(r#"{"inserts":3,"ended":{"expired":2}}"#).unwrap(), stats);
    }

    #[test]
    fn what_is_no_value_is_refused() {
        assert!(serde_json::from_str::<FlowKey>(r#""tcp 1.2.3.4:5""#).is_err());
        assert!(serde_json::from_str::<Tenant>("16777216").is_err());
        let mixed =
            ("1.2.3.4:5".parse::<SocketAddr>().unwrap(), "[::1]:5".parse::<SocketAddr>().unwrap(), 6u8, 0u32);
        assert!(postcard::from_bytes::<FlowKey>(&postcard::to_allocvec(&mixed).unwrap()).is_err());
    }
}

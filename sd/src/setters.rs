//! Chainable methods that set the public field of the same name.

/// `path` and `text` fields are optional and take anything that becomes one, `some` fields are
/// optional, `plain` fields are not, and `into` fields take anything that becomes their type.
macro_rules! setters {
    ($struct:ident { $($kind:ident $field:ident $(: $type:ty)?;)* }) => {
        impl $struct {
            $(
                $crate::setters::setter!($kind $field $(: $type)?);
            )*
        }
    };
}

macro_rules! setter {
    (path $field:ident) => {
        $crate::setters::setter!(@ $field, (impl Into<std::path::PathBuf>), |v| Some(v.into()));
    };
    (text $field:ident) => {
        $crate::setters::setter!(@ $field, (impl Into<String>), |v| Some(v.into()));
    };
    (some $field:ident: $type:ty) => {
        $crate::setters::setter!(@ $field, ($type), |v| Some(v));
    };
    (plain $field:ident: $type:ty) => {
        $crate::setters::setter!(@ $field, ($type), |v| v);
    };
    (into $field:ident: $type:ty) => {
        $crate::setters::setter!(@ $field, (impl Into<$type>), |v| v.into());
    };
    (@ $field:ident, ($($type:tt)+), |$value:ident| $set:expr) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, $value: $($type)+) -> Self {
            self.$field = $set;
            self
        }
    };
}

pub(crate) use {setter, setters};

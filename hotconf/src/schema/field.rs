//! What users see of the field table.
/// One field of the table.
#[derive(Debug, Clone)]
pub struct FieldInfo;
/// The field table.
#[derive(Debug, Clone)]
pub struct Fields;

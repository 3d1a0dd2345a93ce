//! Tests of the codec, and of the session against a Redis that says what it is told to say.

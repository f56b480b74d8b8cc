"""The sites that the sandbox's harvesters visit: small, real, on loopback, and not always well."""

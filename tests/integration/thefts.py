"""What a thief tries with what a service was sent, and what comes of it, for each binding: the reason that a gate refuses with, or that
nothing of the binding stands in the way. test_theft.py tries it; docs/BINDINGS.md says it."""

BINDINGS = ("httpsig", "dpop", "wimse", "mtls", "bearer")
PASSES = "passes"
THEFTS = {
    "the very request, before its service has it": (PASSES, PASSES, PASSES, "client_certificate_missing", PASSES),
    "the same again": ("proof_replayed", "proof_replayed", "proof_replayed", "client_certificate_missing", PASSES),
    "at another service": ("proof_audience", "proof_audience", "proof_audience", "client_certificate_missing", PASSES),
    "at another path": ("signature_wrong", "proof_audience", "proof_audience", "client_certificate_missing", PASSES),
    "with another method": ("signature_wrong", "proof_method", "proof_method", "client_certificate_missing", PASSES),
    "with another query": ("signature_wrong", PASSES, "proof_query", "client_certificate_missing", PASSES),
    "with another body": ("proof_body", PASSES, "proof_body", "client_certificate_missing", PASSES),
    "without its proof": ("signature_missing", "proof_missing", "proof_missing", "client_certificate_missing", PASSES),
    "with a proof by the thief's own key": ("signature_wrong", "proof_key", "proof_signature", "token_certificate", PASSES),
    "with the proof of another task": ("signature_wrong", "proof_key", "proof_signature", "client_certificate_missing", PASSES),
    "two minutes later": ("proof_expired", "proof_expired", "proof_expired", "client_certificate_missing", PASSES),
    "through the thief's own sidecar": ("token_missing", "token_missing", "token_missing", "client_certificate_missing", "refused"),
}

# Whether verifiers by other hands take it, of httpsig, dpop and wimse: they judge one request, and remember nothing. For whom a signature
# is made stands in a parameter that only the WIMSE profile reads; oauth4webapi takes proofs of five minutes.
STRANGERS = {
    "the very request, before its service has it": (True, True, True),
    "at another service": (True, False, False),
    "at another path": (False, False, False),
    "with another method": (False, False, False),
    "with another query": (False, True, False),
    "with another body": (False, True, False),
    "without its proof": (False, False, False),
    "with a proof by the thief's own key": (False, False, False),
    "with the proof of another task": (False, False, False),
    "two minutes later": (False, True, False),
}

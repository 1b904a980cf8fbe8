"""The zoo: small networks of the families that the literature on general nonlinearities is about."""

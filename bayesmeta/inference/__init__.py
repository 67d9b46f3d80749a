"""How the posterior is computed: exact by quadrature, or sampled by NUTS."""

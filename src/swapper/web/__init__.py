"""The WSGI application: routes, errors, and how a request reaches its model."""

"""HTTP/1.1 on the wire, shared by the server and the relay."""

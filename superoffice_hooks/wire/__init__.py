"""The wire: what SuperOffice sends and how it is read. Plain Python, without Django."""

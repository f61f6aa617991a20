error { message = "wrong input" }

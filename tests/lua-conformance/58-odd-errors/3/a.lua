error {}

"""Made scenes whose truth is known exactly: boxes by arithmetic, and short films where pixels
matter. All of them are made from seeds and stills of installed packages; nothing is downloaded."""

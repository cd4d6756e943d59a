import "./view/app";
